#include "linear.h"

#include <ATen/cuda/CUDAContextLight.h>
#include <ATen/cuda/Exceptions.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/equal.h>
#include <c10/cuda/CUDAGuard.h>
#include <cublasLt.h>

#include <algorithm>
#include <array>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <tuple>
#include <vector>

namespace w2w::cuda {
namespace {

using at::Tensor;

constexpr size_t workspace_limit = size_t{32} << 20;  // what cuBLAS asks for on Hopper
constexpr int most_candidates = 8;

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
using Candidate = cublasLtMatmulHeuristicResult_t;

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
    alignments_ = {alignment(weight.const_data_ptr()), alignment(x.const_data_ptr()),
                   addend.defined() ? alignment(addend.const_data_ptr()) : 256};
    key_ = {x.device().index(), type,       rows_, out, in, weight.stride(0), bias.defined(),
            addend.defined(),   alignments_};
  }

  /// All that a choice of kernel depends on.
  using Key = std::tuple<int, cudaDataType_t, int64_t, int64_t, int64_t, int64_t, bool, bool,
                         std::array<uint32_t, 3>>;
  const Key& key() const { return key_; }

  Tensor empty_result() const {
    auto sizes = x_.sizes().vec();
    sizes.back() = weight_.size(0);
    return at::empty(sizes, x_.options());
  }

  /// The kernels that cuBLAS proposes, its guess first.
  std::vector<Candidate> candidates() const {
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
    std::vector<Candidate> found(most_candidates);
    int count = 0;
    TORCH_CUDABLAS_CHECK(cublasLtMatmulAlgoGetHeuristic(
        at::cuda::getCurrentCUDABlasLtHandle(), description_.get(), a_.get(), b_.get(), c_.get(), c_.get(),
        preference.get(), most_candidates, found.data(), &count));
    TORCH_CHECK(count > 0, "cuBLAS has no kernel for a product of ", x_.sizes(), " and ", weight_.sizes());
    found.resize(static_cast<size_t>(count));
    return found;
  }

  cublasStatus_t run(const Candidate& kernel, const Tensor& result, const Tensor& workspace) const {
    const float one = 1, of_addend = addend_.defined() ? 1 : 0;
    const auto* addend = addend_.defined() ? addend_.const_data_ptr() : result.const_data_ptr();
    return cublasLtMatmul(
        at::cuda::getCurrentCUDABlasLtHandle(), description_.get(), &one, weight_.const_data_ptr(), a_.get(),
        x_.const_data_ptr(), b_.get(), &of_addend, addend, c_.get(), result.mutable_data_ptr(), c_.get(),
        &kernel.algo, workspace.mutable_data_ptr(), kernel.workspaceSize, c10::cuda::getCurrentCUDAStream());
  }

 private:
  void set(cublasLtMatmulDescAttributes_t attribute, auto value) {
    TORCH_CUDABLAS_CHECK(cublasLtMatmulDescSetAttribute(description_.get(), attribute, &value, sizeof value));
  }

  const Tensor &x_, &weight_, &addend_;
  int64_t rows_;
  Description description_;
  MatrixLayout a_, b_, c_;
  std::array<uint32_t, 3> alignments_;
  Key key_;
};

Tensor workspace_of(size_t bytes, const Tensor& like) {
  return at::empty({static_cast<int64_t>(bytes)}, like.options().dtype(at::kByte));
}

/// Milliseconds of several runs in a row, recorded so that launching them takes no part: the best of three.
float time_of(const std::function<void()>& run) {
  const auto stream = c10::cuda::getCurrentCUDAStream();
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t ready = nullptr;
  cudaEvent_t begin = nullptr, end = nullptr;
  C10_CUDA_CHECK(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
  for (int i = 0; i < 10; ++i) run();
  C10_CUDA_CHECK(cudaStreamEndCapture(stream, &graph));
  C10_CUDA_CHECK(cudaGraphInstantiate(&ready, graph, 0));
  C10_CUDA_CHECK(cudaEventCreate(&begin));
  C10_CUDA_CHECK(cudaEventCreate(&end));
  float best = std::numeric_limits<float>::max();
  for (int i = 0; i < 3; ++i) {
    float milliseconds = 0;
    C10_CUDA_CHECK(cudaEventRecord(begin, stream));
    C10_CUDA_CHECK(cudaGraphLaunch(ready, stream));
    C10_CUDA_CHECK(cudaEventRecord(end, stream));
    C10_CUDA_CHECK(cudaEventSynchronize(end));
    C10_CUDA_CHECK(cudaEventElapsedTime(&milliseconds, begin, end));
    best = std::min(best, milliseconds);
  }
  C10_CUDA_CHECK(cudaEventDestroy(end));
  C10_CUDA_CHECK(cudaEventDestroy(begin));
  C10_CUDA_CHECK(cudaGraphExecDestroy(ready));
  C10_CUDA_CHECK(cudaGraphDestroy(graph));
  return best;
}

/// The fastest of those that give the bits of the first.
Candidate fastest(const Product& product, const std::vector<Candidate>& candidates, const Tensor& workspace) {
  c10::cuda::device_synchronize();
  const c10::cuda::CUDAStreamGuard guard(c10::cuda::getStreamFromPool());  // the default one records nothing
  const auto expected = product.empty_result(), result = product.empty_result();
  TORCH_CUDABLAS_CHECK(product.run(candidates.front(), expected, workspace));
  const Candidate* best = nullptr;
  float best_time = std::numeric_limits<float>::max();
  for (const auto& candidate : candidates) {
    if (product.run(candidate, result, workspace) != CUBLAS_STATUS_SUCCESS) continue;
    if (!at::equal(result.view(at::kByte), expected.view(at::kByte))) continue;
    const float time = time_of([&] { product.run(candidate, result, workspace); });
    if (time < best_time) best = &candidate, best_time = time;
  }
  c10::cuda::device_synchronize();
  return best ? *best : candidates.front();
}

bool is_recording() {
  cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
  C10_CUDA_CHECK(cudaStreamIsCapturing(c10::cuda::getCurrentCUDAStream(), &status));
  return status != cudaStreamCaptureStatusNone;
}

Candidate choice_for(const Product& product, const Tensor& like) {
  static std::map<Product::Key, Candidate> chosen;
  static std::mutex mutex;
  const std::scoped_lock lock(mutex);
  if (const auto known = chosen.find(product.key()); known != chosen.end()) return known->second;
  const auto candidates = product.candidates();
  if (is_recording()) return candidates.front();
  return chosen[product.key()] = fastest(product, candidates, workspace_of(workspace_limit, like));
}

}  // namespace

Tensor linear(const Tensor& given, const Tensor& weight, const Tensor& bias, const Tensor& given_addend) {
  const auto x = given.contiguous();
  const auto addend = given_addend.defined() ? given_addend.contiguous() : given_addend;
  TORCH_CHECK(weight.stride(1) == 1, "rows of a weight must be contiguous");
  TORCH_CHECK(!addend.defined() || addend.numel() * x.size(-1) == x.numel() * weight.size(0), "an addend of ",
              addend.sizes(), " does not fit a product of ", x.sizes(), " and ", weight.sizes());
  const Product product(x, weight, bias, addend);
  auto y = product.empty_result();
  if (y.numel() == 0) return y;
  const auto kernel = choice_for(product, x);
  TORCH_CUDABLAS_CHECK(product.run(kernel, y, workspace_of(kernel.workspaceSize, x)));
  return y;
}

}  // namespace w2w::cuda
