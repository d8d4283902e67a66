#pragma once
#include <ATen/core/Tensor.h>

namespace w2w {

/// How a matrix in a mapped file is going to be read: from end to end, or as parts of all its rows, where
/// reading ahead would fetch many times what is wanted. Other tensors are left alone.
enum class PageAccess { sequential, scattered };
void expect_access(const at::Tensor& tensor, PageAccess access);

}  // namespace w2w
