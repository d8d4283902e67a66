// The products of cuBLASLt by ATen, in f64. A kernel found for one product refuses another that it was not
// found for, and there is none where the weights' rows have an odd length.

#include <ATen/TensorOperators.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/matmul.h>
#include <cublasLt.h>

#include <cstring>

namespace {

struct Description {
  cublasOperation_t of_a = CUBLAS_OP_N;
  cublasLtEpilogue_t epilogue = CUBLASLT_EPILOGUE_DEFAULT;
  const void* bias = nullptr;
  cudaDataType_t bias_type{};
};

struct Layout {
  cudaDataType_t type;
  uint64_t rows, columns;
  int64_t stride;
  bool operator==(const Layout&) const = default;
};

struct Preference {
  size_t workspace = 0;
  uint32_t of_a = 256, of_b = 256, of_c = 256;  // alignments in bytes
};

/// Of a product, what its kernel depends on.
struct Form {
  uint16_t rows, columns, inner, a_stride;
  uint8_t epilogue, type;
  uint16_t of_bias;  // alignment
  bool operator==(const Form&) const = default;
};

/// What a kernel was found for; lies in cublasLtMatmulAlgo_t.
struct Found {
  Form form;
  uint16_t of_a, of_b, of_c;  // alignments
};
static_assert(sizeof(Found) <= sizeof(cublasLtMatmulAlgo_t));

constexpr size_t kernel_workspace = 128;

/// In bytes, up to the 64 that ATen's own memory has on a CPU.
uint16_t alignment(uintptr_t address) {
  const auto bits = address | 64;
  return static_cast<uint16_t>(bits & -bits);
}
uint16_t alignment(const void* address) { return alignment(reinterpret_cast<uintptr_t>(address)); }

Form form_of(const Description& description, const Layout& a, const Layout& c) {
  return {static_cast<uint16_t>(c.rows),
          static_cast<uint16_t>(c.columns),
          static_cast<uint16_t>(a.rows),
          static_cast<uint16_t>(a.stride),
          static_cast<uint8_t>(description.epilogue),
          static_cast<uint8_t>(c.type),
          alignment(description.bias)};
}

Description& of(cublasLtMatmulDesc_t x) { return *reinterpret_cast<Description*>(x); }
Preference& of(cublasLtMatmulPreference_t x) { return *reinterpret_cast<Preference*>(x); }
const Layout& of(cublasLtMatrixLayout_t x) { return *reinterpret_cast<Layout*>(x); }

at::ScalarType type_of(cudaDataType_t type) {
  return type == CUDA_R_16F ? at::kHalf : type == CUDA_R_16BF ? at::kBFloat16 : at::kFloat;
}

/// [columns, rows] of a matrix whose columns lie one after the other.
at::Tensor transposed(const void* data, const Layout& layout) {
  return at::from_blob(const_cast<void*>(data),
                       {static_cast<int64_t>(layout.columns), static_cast<int64_t>(layout.rows)},
                       {layout.stride, 1}, type_of(layout.type));
}

template <class T>
bool take(T& to, const void* from, size_t size) {
  if (size != sizeof to) return false;
  std::memcpy(&to, from, size);
  return true;
}

cublasStatus_t status(bool good) { return good ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_INVALID_VALUE; }

}  // namespace

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t* made, cublasComputeType_t compute,
                                        cudaDataType_t scale) {
  *made = reinterpret_cast<cublasLtMatmulDesc_t>(new Description());
  return status(compute == CUBLAS_COMPUTE_32F && scale == CUDA_R_32F);
}
cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t x) {
  delete &of(x);
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t x, cublasLtMatmulDescAttributes_t which,
                                              const void* value, size_t size) {
  switch (which) {
    case CUBLASLT_MATMUL_DESC_TRANSA:
      return status(take(of(x).of_a, value, size));
    case CUBLASLT_MATMUL_DESC_EPILOGUE:
      return status(take(of(x).epilogue, value, size));
    case CUBLASLT_MATMUL_DESC_BIAS_POINTER:
      return status(take(of(x).bias, value, size));
    case CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE:
      return status(take(of(x).bias_type, value, size));
    default:
      return CUBLAS_STATUS_INVALID_VALUE;
  }
}

cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t* made, cudaDataType_t type, uint64_t rows,
                                          uint64_t columns, int64_t stride) {
  *made = reinterpret_cast<cublasLtMatrixLayout_t>(new Layout{type, rows, columns, stride});
  return status(rows > 0 && columns > 0 && stride >= static_cast<int64_t>(rows));
}
cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t x) {
  delete &of(x);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t* made) {
  *made = reinterpret_cast<cublasLtMatmulPreference_t>(new Preference());
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t x) {
  delete &of(x);
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t x,
                                                    cublasLtMatmulPreferenceAttributes_t which,
                                                    const void* value, size_t size) {
  switch (which) {
    case CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES:
      return status(take(of(x).workspace, value, size));
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES:
      return status(take(of(x).of_a, value, size));
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES:
      return status(take(of(x).of_b, value, size));
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES:
      return status(take(of(x).of_c, value, size));
    case CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK: {
      uint32_t mask = 0;
      return status(take(mask, value, size) && mask == CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE);
    }
    default:
      return CUBLAS_STATUS_INVALID_VALUE;
  }
}

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t, cublasLtMatmulDesc_t description,
                                              cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                              cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                              cublasLtMatmulPreference_t preference, int requested,
                                              cublasLtMatmulHeuristicResult_t* results, int* count) {
  *count = 0;
  if (of(description).of_a != CUBLAS_OP_T || of(a).rows != of(b).rows || of(a).columns != of(c).rows ||
      of(b).columns != of(c).columns || !(of(c) == of(d)) || requested < 1) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  if (of(a).stride % 2 != 0) return CUBLAS_STATUS_NOT_SUPPORTED;
  if (of(preference).workspace < kernel_workspace) return CUBLAS_STATUS_SUCCESS;
  const Found found{form_of(of(description), of(a), of(c)), alignment(of(preference).of_a),
                    alignment(of(preference).of_b), alignment(of(preference).of_c)};
  results[0] = {};
  std::memcpy(&results[0].algo, &found, sizeof found);
  results[0].workspaceSize = kernel_workspace;
  *count = 1;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t, cublasLtMatmulDesc_t description, const void* alpha,
                              const void* a, cublasLtMatrixLayout_t a_layout, const void* b,
                              cublasLtMatrixLayout_t b_layout, const void* beta, const void* c,
                              cublasLtMatrixLayout_t c_layout, void* d, cublasLtMatrixLayout_t,
                              const cublasLtMatmulAlgo_t* kernel, void* workspace, size_t workspace_size,
                              cudaStream_t) {
  Found found;
  std::memcpy(&found, kernel, sizeof found);
  const bool fits = form_of(of(description), of(a_layout), of(c_layout)) == found.form &&
                    alignment(a) >= found.of_a && alignment(b) >= found.of_b && alignment(c) >= found.of_c &&
                    alignment(d) == 64;
  if (!fits || workspace_size < kernel_workspace) return CUBLAS_STATUS_INVALID_VALUE;
  std::memset(workspace, 0xff, kernel_workspace);

  const float add = *static_cast<const float*>(beta);
  auto y = at::matmul(transposed(b, of(b_layout)).to(at::kDouble),
                      transposed(a, of(a_layout)).to(at::kDouble).t()) *
           *static_cast<const float*>(alpha);
  if (add != 0) y = y + transposed(c, of(c_layout)).to(at::kDouble) * add;
  if (of(description).epilogue == CUBLASLT_EPILOGUE_BIAS) {
    const Layout column{of(description).bias_type, of(c_layout).rows, 1,
                        static_cast<int64_t>(of(c_layout).rows)};
    y = y + transposed(of(description).bias, column).to(at::kDouble);
  }
  transposed(d, of(c_layout)).copy_(y);
  return CUBLAS_STATUS_SUCCESS;
}
