// The plug-in's operators, with its kernels on the CPU, against ATen's in f64: results and gradients.

#include <ATen/Context.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/randn.h>
#include <gtest/gtest.h>

#include <functional>

#include "cuda/host/plugin.h"

namespace w2w {
namespace {

using at::Tensor;
using Tensors = std::vector<Tensor>;

/// Of results that are rounded once; their gradients pass through two products at most.
double bound_of(at::ScalarType type) { return type == at::kFloat ? 4e-6 : type == at::kHalf ? 2e-3 : 1.6e-2; }

double difference(const Tensor& a, const Tensor& b) {
  return ((a.to(at::kDouble) - b).norm() / b.norm()).item<double>();
}

class Operators : public testing::TestWithParam<at::ScalarType> {
 protected:
  Operators() { at::manual_seed(7); }

  Tensor random(at::IntArrayRef sizes) const { return at::randn(sizes, at::kFloat).to(GetParam()); }

  /// `call`'s result by the plug-in and its gradients by the first `differentiable` inputs, against those by
  /// ATen of the same inputs in f64.
  void expect_same(const Tensors& inputs, size_t differentiable,
                   const std::function<Tensor(Accelerator&, const Tensors&)>& call) {
    test::HostPlugin plugin;
    test::HostAccelerator aten;
    Tensor gradient;  // of the result, the same for both
    const auto all = [&](Accelerator& by, bool exact) {
      Tensors leaves;
      for (size_t i = 0; i < inputs.size(); ++i) {
        auto x = inputs[i];
        if (x.defined()) x = (exact ? x.to(at::kDouble) : x).detach().set_requires_grad(i < differentiable);
        leaves.push_back(x);
      }
      const auto y = call(by, leaves);
      if (!gradient.defined()) gradient = at::randn(y.sizes()).to(y.dtype());
      y.backward(gradient.to(y.scalar_type()));
      Tensors results{y.detach()};
      for (size_t i = 0; i < differentiable; ++i) results.push_back(leaves[i].grad());
      return results;
    };
    const auto found = all(plugin, false);
    const auto expected = all(aten, true);
    for (size_t i = 0; i < found.size(); ++i) {
      ASSERT_EQ(found[i].sizes(), expected[i].sizes()) << i;
      EXPECT_EQ(found[i].scalar_type(), GetParam()) << i;
      EXPECT_LE(difference(found[i], expected[i]), bound_of(GetParam())) << i;
    }
  }
};

Tensor channels_last(const Tensor& x) { return x.contiguous(at::MemoryFormat::ChannelsLast); }

TEST_P(Operators, GroupNorm) {
  for (const bool silu : {false, true}) {
    for (const int64_t samples : {0, 1, 3}) {  // shifts of samples: none, one for all, one each
      for (const bool last : {false, true}) {
        const auto x = random({3, 36, 7, 5});
        expect_same(
            {last ? channels_last(x) : x, random({36}), random({36}), samples != 1 ? random({36}) : Tensor(),
             samples > 0 ? random({samples, 80}).narrow(1, 4, 36) : Tensor()},
            1, [&](Accelerator& by, const Tensors& in) {
              return by.group_norm(in[0], {in[3], in[4]}, 4, in[1], in[2], 1e-5, silu);
            });
      }
    }
  }
}

TEST_P(Operators, ConvolutionOfFewAndManyPixels) {
  struct Form {
    int64_t kernel, stride, padding, side;
  };
  for (const auto& form : {Form{3, 1, 1, 8}, Form{3, 2, 1, 9}, Form{3, 2, 0, 8}, Form{3, 1, 1, 20},
                           Form{3, 2, 1, 40}, Form{1, 1, 0, 6}, Form{1, 2, 0, 6}}) {
    const int64_t to = (form.side + 2 * form.padding - form.kernel) / form.stride + 1;
    for (const bool bias : {false, true}) {
      for (const bool addend : {false, true}) {
        if (addend && !bias) continue;
        for (const int64_t channels : {24, 5}) {
          // The weight is no leaf of the graph: the plug-in gives it no gradient.
          expect_same({channels_last(random({2, channels, form.side, form.side})),
                       addend ? random({2, 16, to, to}) : Tensor(),
                       random({16, channels, form.kernel, form.kernel}) / 5, bias ? random({16}) : Tensor()},
                      addend ? 2 : 1, [&](Accelerator& by, const Tensors& in) {
                        return by.convolution(in[0], in[2], in[3], in[1], form.stride, form.padding);
                      });
        }
      }
    }
  }
}

TEST_P(Operators, Linear) {
  for (const int64_t in : {24, 25}) {  // of the odd one cuBLAS has no kernel here
    for (const bool bias : {false, true}) {
      for (const bool addend : {false, true}) {
        expect_same({random({2, 7, in}), addend ? random({2, 7, 40}) : Tensor(), random({40, in}) / 5,
                     bias ? random({40}) : Tensor()},
                    addend ? 2 : 1,
                    [](Accelerator& by, const Tensors& x) { return by.linear(x[0], x[2], x[3], x[1]); });
      }
    }
  }
}

TEST_P(Operators, LinearOfPartsOfMatrices) {
  const auto wide = random({40, 64}) / 5, biases = random({43}), tall = random({10, 6, 32});
  for (const int64_t shift : {0, 1, 3, 4, 8}) {  // of alignment
    for (const int64_t of_bias : {0, 1, 2}) {
      expect_same(
          {tall.narrow(-1, 0, 24).transpose(0, 1), wide.narrow(1, shift, 24), biases.narrow(0, of_bias, 40)},
          1, [](Accelerator& by, const Tensors& x) { return by.linear(x[0], x[1], x[2], {}); });
    }
  }
}

TEST_P(Operators, LinearRefusesWhatDoesNotFit) {
  const auto x = random({3, 24}), weight = random({40, 24}), bias = random({40}), addend = random({3, 40});
  test::HostPlugin plugin;
  EXPECT_NO_THROW(plugin.linear(x, weight, bias, addend));
  EXPECT_THROW(plugin.linear(x, random({40, 25}), bias, addend), c10::Error);
  EXPECT_THROW(plugin.linear(x, weight, random({41}), addend), c10::Error);
  EXPECT_THROW(plugin.linear(x, weight, bias, random({40})), c10::Error);
  EXPECT_THROW(plugin.linear(x, weight.to(at::kDouble), bias, addend), c10::Error);
  EXPECT_THROW(plugin.linear(x, weight.t().contiguous().t(), bias, addend), c10::Error);
}

TEST_P(Operators, LayerNorm) {
  for (const int64_t width : {320, 24, 37}) {  // the last by ATen
    expect_same({random({2, 5, width}), random({width}), random({width})}, 1,
                [](Accelerator& by, const Tensors& x) { return by.layer_norm(x[0], x[1], x[2], 1e-5); });
  }
}

TEST_P(Operators, Geglu) {
  for (const int64_t width : {64, 7}) {
    const auto x = random({5, 2, 2 * width});
    for (const auto& one : {x, x.transpose(0, 1)}) {
      expect_same({one}, 1, [](Accelerator& by, const Tensors& in) { return by.geglu(in[0]); });
    }
  }
}

TEST_P(Operators, Upsample) {
  for (const bool last : {false, true}) {
    const auto x = random({2, 20, 5, 3});
    expect_same({last ? channels_last(x) : x}, 1, [](Accelerator& by, const Tensors& in) {
      return by.upsample(in[0], {9, 6});
    });
  }
}

INSTANTIATE_TEST_SUITE_P(Types, Operators, testing::Values(at::kFloat, at::kHalf, at::kBFloat16),
                         [](const auto& type) { return std::string(c10::toString(type.param)); });

}  // namespace
}  // namespace w2w
