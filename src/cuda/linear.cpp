#include "linear.h"

#include <ATen/cuda/CUDAContextLight.h>
#include <ATen/cuda/Exceptions.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/linear.h>
#include <c10/cuda/CUDAStream.h>
#include <cublasLt.h>

#include <array>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <tuple>

namespace w2w::cuda {
namespace {

using at::Tensor;

constexpr size_t workspace_limit = size_t{32} << 20;  // what cuBLAS asks for on Hopper

cudaDataType_t type_of(at::ScalarType type) {
  switch (type) {
    case at::kFloat:
      return CUDA_R_32F;
    case at::kHalf:
      return CUDA_R_16F;
    case at::kBFloat16:
      return CUDA_R_16BF;
    default:
      TORCH_CHECK(false, "no matrix product of ", type);
  }
}

template <class T, cublasStatus_t (*destroy)(T*)>
struct Destroy {
  void operator()(T* handle) const { destroy(handle); }
};
using Description = std::unique_ptr<cublasLtMatmulDescOpaque_t,
                                    Destroy<cublasLtMatmulDescOpaque_t, cublasLtMatmulDescDestroy>>;
using MatrixLayout = std::unique_ptr<cublasLtMatrixLayoutOpaque_t,
                                     Destroy<cublasLtMatrixLayoutOpaque_t, cublasLtMatrixLayoutDestroy>>;
using Preference =
    std::unique_ptr<cublasLtMatmulPreferenceOpaque_t,
                    Destroy<cublasLtMatmulPreferenceOpaque_t, cublasLtMatmulPreferenceDestroy>>;
using Kernel = cublasLtMatmulHeuristicResult_t;

MatrixLayout matrix(cudaDataType_t type, int64_t rows, int64_t columns, int64_t stride) {
  cublasLtMatrixLayout_t made = nullptr;
  TORCH_CUDABLAS_CHECK(cublasLtMatrixLayoutCreate(&made, type, static_cast<uint64_t>(rows),
                                                  static_cast<uint64_t>(columns), stride));
  return MatrixLayout(made);
}

/// The alignment of an address in bytes, up to the 256 that cuBLAS asks about.
uint32_t alignment(const void* address) {
  const auto bits = reinterpret_cast<uintptr_t>(address) | 256;
  return static_cast<uint32_t>(bits & -bits);
}

/// cuBLAS sees addresses alone: what does not fit would be read beyond its end.
void check_operands(const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensor& addend) {
  const auto fits = [&](const Tensor& other) {
    return !other.defined() || (other.scalar_type() == x.scalar_type() && other.device() == x.device());
  };
  TORCH_CHECK(fits(weight) && fits(bias) && fits(addend), "a product of ", x.scalar_type(), " on ",
              x.device(), " with operands of another type or device");
  TORCH_CHECK(weight.dim() == 2 && weight.stride(1) == 1 && x.size(-1) == weight.size(1), "a product of ",
              x.sizes(), " and a weight ", weight.sizes(), " of strides ", weight.strides());
  TORCH_CHECK(!bias.defined() || (bias.is_contiguous() && bias.numel() == weight.size(0)), "a bias of ",
              bias.sizes(), " for a weight ", weight.sizes());
  TORCH_CHECK(!addend.defined() || addend.numel() * x.size(-1) == x.numel() * weight.size(0), "an addend of ",
              addend.sizes(), " for a product of ", x.sizes(), " and ", weight.sizes());
}

/// One product with its arrays. cuBLAS stores columns one after the other: there the result is
/// y^T [out, rows] = W x^T, W as the transpose of what it calls A.
class Product {
 public:
  Product(const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensor& addend)
      : x_(x), weight_(weight), addend_(addend), rows_(x.numel() / x.size(-1)) {
    const auto type = type_of(x.scalar_type());
    const int64_t in = weight.size(1), out = weight.size(0);
    cublasLtMatmulDesc_t made = nullptr;
    TORCH_CUDABLAS_CHECK(cublasLtMatmulDescCreate(&made, CUBLAS_COMPUTE_32F, CUDA_R_32F));
    description_.reset(made);
    set(CUBLASLT_MATMUL_DESC_TRANSA, CUBLAS_OP_T);
    if (bias.defined()) {
      set(CUBLASLT_MATMUL_DESC_EPILOGUE, CUBLASLT_EPILOGUE_BIAS);
      set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias.const_data_ptr());
      set(CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, type);
    }
    a_ = matrix(type, in, out, weight.stride(0));
    b_ = matrix(type, in, rows_, in);
    c_ = matrix(type, out, rows_, out);
    const auto of = [](const Tensor& operand) {
      return operand.defined() ? alignment(operand.const_data_ptr()) : 256;
    };
    alignments_ = {of(weight), of(x), of(addend), of(bias)};
    key_ = {x.device().index(), type,       rows_, out, in, weight.stride(0), bias.defined(),
            addend.defined(),   alignments_};
  }

  /// All that a choice of kernel depends on.
  using Key = std::tuple<int, cudaDataType_t, int64_t, int64_t, int64_t, int64_t, bool, bool,
                         std::array<uint32_t, 4>>;
  const Key& key() const { return key_; }

  Tensor empty_result() const {
    auto sizes = x_.sizes().vec();
    sizes.back() = weight_.size(0);
    return at::empty(sizes, x_.options());
  }

  /// The kernel that cuBLAS guesses to be the fastest; none if it has none for these sizes and alignments.
  std::optional<Kernel> guess() const {
    cublasLtMatmulPreference_t made = nullptr;
    TORCH_CUDABLAS_CHECK(cublasLtMatmulPreferenceCreate(&made));
    const Preference preference(made);
    const auto prefer = [&](cublasLtMatmulPreferenceAttributes_t attribute, auto value) {
      TORCH_CUDABLAS_CHECK(
          cublasLtMatmulPreferenceSetAttribute(preference.get(), attribute, &value, sizeof value));
    };
    prefer(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, workspace_limit);
    prefer(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK,
           static_cast<uint32_t>(CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE));  // or none: sums stay f32
    prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, alignments_[0]);
    prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, alignments_[1]);
    prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, alignments_[2]);
    Kernel kernel{};
    int count = 0;
    const auto status =
        cublasLtMatmulAlgoGetHeuristic(at::cuda::getCurrentCUDABlasLtHandle(), description_.get(), a_.get(),
                                       b_.get(), c_.get(), c_.get(), preference.get(), 1, &kernel, &count);
    if (status == CUBLAS_STATUS_NOT_SUPPORTED || (status == CUBLAS_STATUS_SUCCESS && count == 0)) return {};
    TORCH_CUDABLAS_CHECK(status);
    return kernel;
  }

  void run(const Kernel& kernel, const Tensor& result) const {
    const auto workspace =
        at::empty({static_cast<int64_t>(kernel.workspaceSize)}, x_.options().dtype(at::kByte));
    const float one = 1, of_addend = addend_.defined() ? 1 : 0;
    const auto* addend = addend_.defined() ? addend_.const_data_ptr() : result.const_data_ptr();
    TORCH_CUDABLAS_CHECK(cublasLtMatmul(
        at::cuda::getCurrentCUDABlasLtHandle(), description_.get(), &one, weight_.const_data_ptr(), a_.get(),
        x_.const_data_ptr(), b_.get(), &of_addend, addend, c_.get(), result.mutable_data_ptr(), c_.get(),
        &kernel.algo, workspace.mutable_data_ptr(), kernel.workspaceSize, c10::cuda::getCurrentCUDAStream()));
  }

 private:
  void set(cublasLtMatmulDescAttributes_t attribute, auto value) {
    TORCH_CUDABLAS_CHECK(cublasLtMatmulDescSetAttribute(description_.get(), attribute, &value, sizeof value));
  }

  Tensor x_, weight_, addend_;
  int64_t rows_;
  Description description_;
  MatrixLayout a_, b_, c_;
  std::array<uint32_t, 4> alignments_;
  Key key_;
};

/// The guess, made once for each key.
std::optional<Kernel> kernel_for(const Product& product) {
  static std::map<Product::Key, std::optional<Kernel>> known;
  static std::mutex mutex;
  const std::scoped_lock lock(mutex);
  const auto found = known.find(product.key());
  return found != known.end() ? found->second : known[product.key()] = product.guess();
}

}  // namespace

Tensor linear(const Tensor& given, const Tensor& weight, const Tensor& bias, const Tensor& given_addend) {
  const auto x = given.contiguous();
  const auto addend = given_addend.defined() ? given_addend.contiguous() : given_addend;
  check_operands(x, weight, bias, addend);
  const Product product(x, weight, bias, addend);
  auto y = product.empty_result();
  if (y.numel() == 0) return y;
  if (const auto kernel = kernel_for(product)) {
    product.run(*kernel, y);
    return y;
  }
  y = at::linear(x, weight, bias);
  return addend.defined() ? y.add_(addend) : y;
}

}  // namespace w2w::cuda
