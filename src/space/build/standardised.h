#pragma once
#include <ATen/core/Tensor.h>

#include "w2w/base/run.h"
#include "w2w/space/layout.h"

namespace w2w {

/// Of every parameter over the training models, f64 [P].
struct ParameterStatistics {
  at::Tensor mean;
  at::Tensor std;     ///< unbiased; parameters that never move have 1e-8 of the mean one
  at::Tensor weight;  ///< 1 / std, and 0 for parameters that never move

  int64_t moving() const;  ///< how many do: the total variance of the standardised models
};

/// One pass over `models` [n, P] in blocks of rows. A parameter whose deviation is below a millionth of the
/// mean one counts as never moving: that much is rounding, and `project` gives it no weight either.
/// Error(malformed) naming the model and the module when a value is not finite; Error(failure) when all
/// models are the same.
ParameterStatistics parameter_statistics(const at::Tensor& models, const std::vector<std::string>& names,
                                         const Layout& layout, const Run& run);

/// X = (models - mean) / std, [n, P], which is never formed as a whole: block by block of columns, in f64.
class Standardised {
 public:
  /// The models go to `device` where they fill less than half of its memory: every pass goes over all of
  /// them.
  Standardised(at::Tensor models, const ParameterStatistics& statistics, at::Device device);

  int64_t models() const { return models_.size(0); }
  int64_t parameters() const { return models_.size(1); }
  /// Some 512 MB each, at most a thirtieth of the columns, a thousand at least; the same on every machine.
  int64_t blocks() const { return (parameters() + length_ - 1) / length_; }
  int64_t first_column(int64_t block) const { return block * length_; }
  at::Tensor block(int64_t index) const;  ///< f64 [n, columns] on the device
  at::Device device() const { return mean_.device(); }

 private:
  at::Tensor models_, mean_, weight_;
  int64_t length_;
};

}  // namespace w2w
