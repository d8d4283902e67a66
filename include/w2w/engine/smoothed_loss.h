#pragma once

namespace w2w {

/// A loss as an exponential average over about the last 50 steps, free of the bias of its start.
class SmoothedLoss {
 public:
  double operator()(double loss) {
    sum_ = decay * sum_ + (1 - decay) * loss;
    weight_ *= decay;
    return sum_ / (1 - weight_);
  }

 private:
  static constexpr double decay = 0.98;
  double sum_ = 0, weight_ = 1;
};

}  // namespace w2w
