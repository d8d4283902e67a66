// Checks the CUDA kernels against f64 on the host. On a GPU it needs nothing else:
//   nvcc -std=c++20 -O3 -arch=native -Isrc tests/cuda/kernels.cu src/cuda/*.cu -o kernels && ./kernels
// On a CPU (host/device.h) `--few` takes some variants of each group norm, the largest ones smaller.

#include <cmath>
#include <cstring>
#include <functional>

#include "array.h"
#include "cuda/add_bias.h"
#include "cuda/geglu.h"
#include "cuda/group_norm.h"
#include "cuda/layer_norm.h"
#include "cuda/unfold.h"
#include "cuda/upsample.h"

using namespace w2w::cuda;

namespace {

/// Of a result computed in f32 and rounded once: half a unit in the last place of f16 is 4.9e-4, of bf16
/// 3.9e-3; in f32 the sums, exp and erf add a few units of 1.2e-7.
double bound_of(Element e) { return e == Element::f32 ? 2e-6 : e == Element::f16 ? 1e-3 : 8e-3; }

double norm(const std::vector<double>& x) {
  double sum = 0;
  for (const double v : x) sum += v * v;
  return std::sqrt(sum);
}

/// ||found - expected|| <= bound * scale. Not-a-number fails.
void compare(const Array& found, const std::vector<double>& expected, double scale, double bound,
             const std::string& what) {
  double sum = 0;
  for (size_t i = 0; i < expected.size(); ++i) sum += std::pow(found[i] - expected[i], 2);
  const double error = std::sqrt(sum) / (scale > 0 ? scale : 1);
  check(error <= bound, what, error, bound);
}

/// Runs twice, each time over poison, and leaves the result in `outputs`.
void run_twice(const std::vector<Array*>& outputs, const std::function<cudaError_t()>& launch,
               const std::string& what) {
  std::vector<std::vector<char>> first;
  for (int pass = 0; pass < 2; ++pass) {
    for (auto* output : outputs) output->poison();
    must(launch(), what.c_str());
    MUST(cudaDeviceSynchronize());
    for (size_t i = 0; i < outputs.size(); ++i) {
      const auto bytes = outputs[i]->fetch(what);
      if (pass == 0) {
        first.push_back(bytes);
      } else {
        check(bytes == first[i], what + " differs between runs", 1, 0);
      }
    }
  }
}

// ---- GroupNorm

struct NormCase {
  GroupNormShape shape;
  double mean = 0;
  size_t off = 0;  ///< of alignment
};

/// What is added to x: nothing, one value a channel, or that and another one for each sample or all.
enum class Added { nothing, bias, shared, samples };

void test_group_norm(const NormCase& c, Added added, Element e, bool silu) {
  const auto& s = c.shape;
  const auto what = "group_norm " + std::string(name_of(e)) + (silu ? " silu " : " ") +
                    std::to_string(s.batch) + "x" + std::to_string(s.pixels) + "x" +
                    std::to_string(s.channels) + "/" + std::to_string(s.groups) + " mean " +
                    std::to_string(int(c.mean)) + " added " + std::to_string(int(added));
  const size_t size = s.batch * s.pixels * s.channels, statistics = s.batch * s.groups;
  Array x(size, e, c.off), dy(size, e), y(size, e), dx(size, e), weight(s.channels, e), bias(s.channels, e);
  Array mean(statistics, Element::f32), rstd(statistics, Element::f32);
  Array workspace(group_norm_workspace(s), Element::f32);
  Array of_channels(s.channels, e), of_samples(s.batch * s.channels, e);
  x.fill(c.mean, 1), dy.fill(0, 1), weight.fill(1, 0.5), bias.fill(0, 0.5);
  of_channels.fill(0, 1), of_samples.fill(0, 1);
  GroupNormShift shift;
  if (added != Added::nothing) shift.of_channels = of_channels;
  if (added == Added::shared || added == Added::samples) shift.of_samples = of_samples;
  shift.shared = added == Added::shared;
  const auto added_to = [&](size_t sample, size_t channel) {
    double sum = added == Added::nothing ? 0 : of_channels[channel];
    if (shift.of_samples) sum += of_samples[(shift.shared ? 0 : sample) * s.channels + channel];
    return sum;
  };

  run_twice(
      {&y, &mean, &rstd},
      [&] {
        workspace.poison();
        return group_norm(s, x, shift, weight, bias, y, mean, rstd, workspace, silu, e, nullptr);
      },
      what);
  workspace.fetch(what + " workspace");
  run_twice(
      {&dx},
      [&] {
        workspace.poison();
        return group_norm_backward(s, dy, x, shift, weight, bias, mean, rstd, dx, workspace, silu, e,
                                   nullptr);
      },
      what + " backward");
  workspace.fetch(what + " backward workspace");

  const size_t width = s.channels / s.groups, n = width * s.pixels;
  std::vector<double> y_ref(size), dx_ref(size), g(size), z(size), mean_ref(statistics), rstd_ref(statistics);
  for (size_t group = 0; group < statistics; ++group) {
    const size_t origin = group / s.groups * s.pixels * s.channels, first = group % s.groups * width;
    const auto each = [&](auto&& f) {
      for (int64_t p = 0; p < s.pixels; ++p) {
        for (size_t i = 0; i < width; ++i) f(origin + p * s.channels + first + i, first + i);
      }
    };
    double sum = 0, square = 0, sum_g = 0, sum_gz = 0;
    each([&](size_t i, size_t channel) { sum += z[i] = x[i] + added_to(group / s.groups, channel); });
    each([&](size_t i, size_t) { square += std::pow(z[i] - sum / n, 2); });
    const double r = 1 / std::sqrt(square / n + s.eps);
    mean_ref[group] = sum / n, rstd_ref[group] = r;
    each([&](size_t i, size_t channel) {
      z[i] = (z[i] - sum / n) * r;
      const double u = z[i] * weight[channel] + bias[channel], sigmoid = 1 / (1 + std::exp(-u));
      y_ref[i] = silu ? u * sigmoid : u;
      g[i] = dy[i] * (silu ? sigmoid * (1 + u * (1 - sigmoid)) : 1) * weight[channel] * r;
      sum_g += g[i], sum_gz += g[i] * z[i];
    });
    each([&](size_t i, size_t) { dx_ref[i] = g[i] - sum_g / n - z[i] * sum_gz / n; });
  }
  // x - mean inherits the rounding of a mean held in f32: 30 values of 6e-8 at mean 30.
  const double bound = bound_of(e) + 1e-7 * std::abs(c.mean);
  compare(mean, mean_ref, std::sqrt(double(statistics)), 1e-6 + 1e-7 * std::abs(c.mean), what + " mean");
  compare(rstd, rstd_ref, norm(rstd_ref), 2e-6, what + " rstd");
  compare(y, y_ref, norm(y_ref), bound, what);
  // dx is g less its projections; of one or two values a group these leave next to nothing.
  compare(dx, dx_ref, norm(n < 16 ? g : dx_ref), bound, what + " backward");
}

// ---- GEGLU

void test_geglu(int64_t rows, int64_t width, size_t shift, Element e) {
  const auto what =
      "geglu " + std::string(name_of(e)) + " " + std::to_string(rows) + "x" + std::to_string(width);
  Array x(rows * 2 * width, e, shift), dy(rows * width, e), y(rows * width, e), dx(rows * 2 * width, e);
  x.fill(0, 1.5), dy.fill(0, 1);
  run_twice(
      {&y}, [&] { return geglu(rows, width, x, y, e, nullptr); }, what);
  run_twice(
      {&dx}, [&] { return geglu_backward(rows, width, x, dy, dx, e, nullptr); }, what + " backward");

  std::vector<double> y_ref(y.size()), dx_ref(dx.size());
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t j = 0; j < width; ++j) {
      const size_t at = row * width + j, value = row * 2 * width + j, gate = value + width;
      const double u = x[gate], cdf = 0.5 * std::erfc(-u * std::sqrt(0.5));
      const double density = std::exp(-0.5 * u * u) / std::sqrt(2 * std::acos(-1.0));
      y_ref[at] = x[value] * u * cdf;
      dx_ref[value] = dy[at] * u * cdf;
      dx_ref[gate] = dy[at] * x[value] * (cdf + u * density);
    }
  }
  compare(y, y_ref, norm(y_ref), bound_of(e), what);
  compare(dx, dx_ref, norm(dx_ref), bound_of(e), what + " backward");
}

// ---- LayerNorm

void test_layer_norm(int64_t rows, int64_t width, double centre, Element e) {
  const auto what = "layer_norm " + std::string(name_of(e)) + " " + std::to_string(rows) + "x" +
                    std::to_string(width) + " mean " + std::to_string(int(centre));
  constexpr float eps = 1e-5f;
  const size_t size = rows * width;
  Array x(size, e), y(size, e), dy(size, e), dx(size, e), weight(width, e), bias(width, e),
      mean(rows, Element::f32), rstd(rows, Element::f32);
  x.fill(centre, 1), dy.fill(0, 1), weight.fill(1, 0.5), bias.fill(0, 0.5);
  run_twice(
      {&y, &mean, &rstd},
      [&] { return layer_norm(rows, width, eps, x, weight, bias, y, mean, rstd, e, nullptr); }, what);
  run_twice(
      {&dx}, [&] { return layer_norm_backward(rows, width, dy, x, weight, mean, rstd, dx, e, nullptr); },
      what + " backward");

  std::vector<double> y_ref(size), dx_ref(size), mean_ref(rows), rstd_ref(rows);
  for (int64_t row = 0; row < rows; ++row) {
    const size_t begin = row * width;
    const auto mean_over_row = [&](auto&& value) {
      double total = 0;
      for (int64_t j = 0; j < width; ++j) total += value(begin + j, j);
      return total / width;
    };
    const double m = mean_over_row([&](size_t i, int64_t) { return x[i]; });
    const double r =
        1 / std::sqrt(mean_over_row([&](size_t i, int64_t) { return std::pow(x[i] - m, 2); }) + eps);
    mean_ref[row] = m, rstd_ref[row] = r;
    const auto d = [&](size_t i) { return (x[i] - m) * r; };
    const auto g = [&](size_t i, int64_t j) { return dy[i] * weight[j]; };
    const double mean_g = mean_over_row(g);
    const double mean_gd = mean_over_row([&](size_t i, int64_t j) { return g(i, j) * d(i); });
    for (int64_t j = 0; j < width; ++j) {
      const size_t i = begin + j;
      y_ref[i] = d(i) * weight[j] + bias[j];
      dx_ref[i] = r * (g(i, j) - mean_g - d(i) * mean_gd);
    }
  }
  const double bound = bound_of(e) + 1e-7 * std::abs(centre);
  compare(mean, mean_ref, std::sqrt(double(rows)), 1e-6 + 1e-7 * std::abs(centre), what + " mean");
  compare(rstd, rstd_ref, norm(rstd_ref), 2e-6, what + " rstd");
  compare(y, y_ref, norm(y_ref), bound, what);
  compare(dx, dx_ref, norm(dx_ref), bound, what + " backward");
}

// ---- what follows a convolution

void test_add_bias(int64_t pixels, int64_t channels, Element e) {
  const auto what =
      "add_bias " + std::string(name_of(e)) + " " + std::to_string(pixels) + "x" + std::to_string(channels);
  const size_t size = pixels * channels;
  Array x(size, e), bias(channels, e), addend(size, e), y(size, e);
  x.fill(0, 1), bias.fill(0, 1), addend.fill(0, 1);
  for (const bool added : {true, false}) {
    run_twice(
        {&y},
        [&] {
          return add_bias(pixels, channels, x, bias, added ? static_cast<void*>(addend) : nullptr, y, e,
                          nullptr);
        },
        what);
    std::vector<double> y_ref(size);
    for (size_t i = 0; i < size; ++i) y_ref[i] = x[i] + bias[i % channels] + (added ? addend[i] : 0);
    compare(y, y_ref, norm(y_ref), bound_of(e), what);
  }
}

// ---- upsampling

void test_upsample(int64_t height, int64_t width, int64_t channels, int64_t to_height, int64_t to_width,
                   Element e) {
  const auto what = "upsample " + std::string(name_of(e)) + " to " + std::to_string(to_height) + "x" +
                    std::to_string(to_width) + "x" + std::to_string(channels);
  constexpr int64_t batch = 3;
  Array x(batch * height * width * channels, e), y(batch * to_height * to_width * channels, e);
  x.fill(0, 1);
  run_twice(
      {&y}, [&] { return upsample(batch, height, width, channels, to_height, to_width, x, y, e, nullptr); },
      what);
  std::vector<double> y_ref;
  for (int64_t b = 0; b < batch; ++b) {
    for (int64_t i = 0; i < to_height; ++i) {
      for (int64_t j = 0; j < to_width; ++j) {
        const int64_t row = b * height + i * height / to_height, pixel = row * width + j * width / to_width;
        for (int64_t c = 0; c < channels; ++c) y_ref.push_back(x[pixel * channels + c]);
      }
    }
  }
  compare(y, y_ref, norm(y_ref), 0, what);
}

// ---- unfolding

void test_unfold(int64_t height, int64_t width, int64_t channels, int64_t stride, int64_t padding,
                 Element e) {
  const auto what = "unfold " + std::string(name_of(e)) + " " + std::to_string(height) + "x" +
                    std::to_string(width) + "x" + std::to_string(channels) + " stride " +
                    std::to_string(stride);
  constexpr int64_t batch = 3;
  const int64_t to_height = (height + 2 * padding - 3) / stride + 1;
  const int64_t to_width = (width + 2 * padding - 3) / stride + 1;
  Array x(batch * height * width * channels, e), y(batch * to_height * to_width * 9 * channels, e);
  x.fill(0, 1);
  run_twice(
      {&y},
      [&] {
        return unfold(batch, height, width, channels, to_height, to_width, stride, padding, x, y, e, nullptr);
      },
      what);
  std::vector<double> y_ref;
  for (int64_t b = 0; b < batch; ++b) {
    for (int64_t pixel = 0; pixel < to_height * to_width; ++pixel) {
      for (int64_t position = 0; position < 9; ++position) {
        const int64_t i = pixel / to_width * stride + position / 3 - padding;
        const int64_t j = pixel % to_width * stride + position % 3 - padding;
        const bool inside = i >= 0 && i < height && j >= 0 && j < width;
        for (int64_t c = 0; c < channels; ++c) {
          y_ref.push_back(inside ? x[((b * height + i) * width + j) * channels + c] : 0);
        }
      }
    }
  }
  compare(y, y_ref, norm(y_ref), 0, what);
}

}  // namespace

int main(int argc, char** argv) {
  constexpr float eps = 1e-5f;
  const NormCase norms[] = {
      // UNet and VAE, in one launch and in two
      {{2, 4096, 320, 32, eps}},
      {{2, 64, 1280, 32, eps}},
      {{2, 256, 1920, 32, eps}},
      {{1, 1024, 640, 32, eps}},
      {{1, 1024, 2560, 32, eps}},
      {{1, 4096, 960, 32, eps}},
      {{1, 16384, 128, 32, eps}},
      {{1, 9216, 256, 32, eps}},
      {{64, 9, 320, 32, eps}},
      // more pixels than the blocks hold at once
      {{1, 40009, 128, 32, eps}},
      {{1, 1100, 257, 1, eps}},
      // one pixel; groups of one channel, of seven and nine (vectors across groups), of hundreds
      {{3, 1, 320, 32, eps}},
      {{1, 1, 32, 32, eps}},
      {{2, 53, 56, 8, eps}},
      {{2, 37, 72, 8, eps}},
      {{1, 5, 2560, 2, eps}},
      // small and odd groups, which fewer types can take 16 bytes at a time
      {{3, 17, 32, 8, eps}},
      {{1, 333, 64, 32, eps}},
      {{2, 101, 36, 4, eps}},
      {{3, 7919, 96, 32, eps}},
      {{2, 7919, 40, 40, eps}},
      {{2, 100, 320, 32, eps}, 0, 1},
      // a mean far from 0
      {{2, 1021, 320, 32, eps}, 30},
      {{2, 16411, 128, 32, eps}, 30},
      {{1, 4099, 36, 4, eps}, -30},
  };
  const bool few = argc > 1 && std::strcmp(argv[1], "--few") == 0;
  int variant = 0;
  for (const auto e : {Element::f32, Element::f16, Element::bf16}) {
    for (auto c : norms) {
      const bool large = c.shape.pixels >= 5000;
      if (few && c.shape.pixels > 4000 && c.shape.pixels < 40000) c.shape.pixels /= 8;
      for (const bool silu : {false, true}) {
        for (const auto added : {Added::nothing, Added::bias, Added::shared, Added::samples}) {
          if (large && added != Added::nothing) continue;
          if (!few || variant++ % (large ? 2 : 8) == 0) test_group_norm(c, added, e, silu);
        }
      }
      ++variant;  // other ones of the next shape
    }
    test_geglu(256, 1280, 0, e);
    test_geglu(77, 24, 0, e);
    test_geglu(3, 37, 0, e);
    test_geglu(1, 1, 0, e);
    test_geglu(5, 64, 1, e);
    for (const int64_t width : {320, 640, 768, 1280, 8, 24, 1000}) test_layer_norm(77, width, 0, e);
    test_layer_norm(4096, 320, 0, e);
    test_layer_norm(1, 1280, 30, e);
    test_add_bias(4096, 320, e);
    test_add_bias(3 * 17, 36, e);
    test_add_bias(51, 7, e);
    test_upsample(8, 12, 640, 16, 24, e);
    test_upsample(5, 3, 36, 9, 5, e);
    test_unfold(8, 8, 640, 1, 1, e);
    test_unfold(7, 5, 36, 2, 1, e);
    test_unfold(6, 9, 5, 2, 0, e);
  }
  const auto status_of = [](const GroupNormShape& s) {
    return group_norm(s, nullptr, {}, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, false,
                      Element::f32, nullptr);
  };
  check(status_of({1, 4, 10, 3, eps}) == cudaErrorInvalidValue, "groups that do not divide", 1, 0);
  check(status_of({0, 4, 12, 3, eps}) == cudaSuccess, "an empty batch", 1, 0);
  check(geglu(0, 8, nullptr, nullptr, Element::f16, nullptr) == cudaSuccess, "no rows", 1, 0);
  check(!layer_norm_takes(36, Element::bf16) && layer_norm_takes(36, Element::f32) &&
            !layer_norm_takes(4096, Element::bf16),
        "widths of layer_norm", 1, 0);
  std::printf("%s: %d checks, %d failed\n", failures == 0 ? "ok" : "FAIL", checks, failures);
  return failures == 0 ? 0 : 1;
}
