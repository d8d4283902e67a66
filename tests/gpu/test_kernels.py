"""The CUDA kernels by themselves against f64 on the CPU (tests/cuda/kernels.cu)."""
import pytest

pytestmark = pytest.mark.gpu


def test_kernels(tmp_path):
    from conftest import Program
    done = Program("w2w_kernel_test", tmp_path)()
    assert "0 failed" in done.stdout
