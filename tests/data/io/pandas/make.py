"""Writes frame, numbered and series_VERSION.pt of the pandas that runs it: what torch.save makes of them, being pickle of protocol 2
in a zip without compression. Run once with each of pandas 0.25, 1.1, 1.5, 2.0 and 3.1; tests/parity/test_tables.py has the values."""
import pathlib
import pickle
import zipfile

import numpy
import pandas

here = pathlib.Path(__file__).parent
version = ".".join(pandas.__version__.split(".")[:2])


def save(content, name):
    with zipfile.ZipFile(here / ("%s_%s.pt" % (name, version)), "w", zipfile.ZIP_STORED) as archive:
        for entry, data in (("data.pkl", pickle.dumps(content, 2)), ("byteorder", b"little"), ("version", b"3\n")):
            archive.writestr(zipfile.ZipInfo("archive/" + entry), data)


frame = pandas.DataFrame({"Male": [1, -1, 1], "Young": [True, False, True], "score": [0.5, numpy.nan, 2.0], "mixed": [1, None, -1.0],
                          "note": ["a", "b", "c"]}, index=["12", "7", "person \u00e9"])
frame["Bald"] = numpy.array([-1, 1, -1], "int8")  # a block of its own
frame["Hat"] = pandas.Categorical([1, -1, 1])
if version > "1":
    frame["known"] = pandas.array([1, None, -1], dtype="Int64")
save(frame, "frame")
save(frame[["Male", "Bald"]].set_index(pandas.Index([5, 7, 9])), "numbered")
save(frame["Male"], "series")
