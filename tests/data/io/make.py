"""Writes the small torch files that tests/unit/io reads (torch 2.11, pandas 2.3)."""
import pathlib

import pandas
import torch

here = pathlib.Path(__file__).parent
base = torch.arange(12, dtype=torch.float32)
state = torch.nn.ParameterDict({"weight": torch.nn.Parameter(torch.tensor([[0.5, -2.0]], dtype=torch.bfloat16))}).state_dict()
state["matrix"] = base[:6].view(2, 3)
state["columns"] = base.view(3, 4).t()[1:3]  # strided, in the same storage
state["count"] = torch.tensor(2**40)
state["parameter"] = torch.nn.Parameter(torch.ones(2, dtype=torch.float64))
state["empty"] = torch.empty(0, 4, dtype=torch.float16)
state["flags"] = torch.tensor([True, False])
content = {"epoch": 3, "wide": 2**40, "rate": 0.25, "state_dict": state}
torch.save(content, here / "state.pt")
torch.save(content, here / "state_legacy.pt", _use_new_zipfile_serialization=False)
torch.save({"to_q.lora_A.weight": (320, torch.Size([1, 320])), "to_q.lora_B.weight": (320, torch.Size([320, 1]))},
           here / "dimensions.pt")
frame = pandas.DataFrame({"Male": [1, -1, 1], "Young": [-1, -1, 1], "score": [0.5, -1.5, 2.0], "note": ["a", "b", "c"]},
                         index=["12", "7", "person é"])
frame["Bald"] = [-1, 1, -1]  # a block of its own
torch.save(frame, here / "labels.pt")
