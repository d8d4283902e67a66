"""A short part of the fuzzer, always the same: fuzz.py beside this file is the command for more."""

from conftest import BUILD

from fuzz.fuzz import fuzz


def test_damaged_files_of_every_kind_end_in_a_sentence():
    results = fuzz(BUILD / "w2w", seed=1, count=2, workers=2)
    findings = [finding for result in results.values() for finding in result.findings]
    assert not findings, "\n".join(findings)
    refused = sum(count for result in results.values() for code, count in result.codes.items() if code != 0)
    assert refused > len(results), "hardly anything was damaged"
