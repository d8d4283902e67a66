#include "w2w/device/recorded_call.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include "support/host_accelerator.h"

namespace w2w {
namespace {

using at::Tensor;
using Tensors = RecordedCall::Tensors;

Tensor filled(double value, at::IntArrayRef sizes = {2, 3}) { return at::full(sizes, value, at::kFloat); }

double value_of(const Tensor& x) { return x.flatten()[0].item<double>(); }

TEST(RecordedCall, ACpuJustCalls) {
  int calls = 0;
  RecordedCall call;
  const auto twice = [&](const Tensors& in) -> Tensors { return ++calls, Tensors{in[0] * 2}; };
  const auto first = call(twice, {filled(1)})[0], second = call(twice, {filled(2)})[0];
  EXPECT_EQ(calls, 2);
  EXPECT_EQ(value_of(first), 2);
  EXPECT_EQ(value_of(second), 4);
}

TEST(RecordedCall, ADeviceRepeatsWhatItRecorded) {
  test::HostAccelerator device;
  RecordedCall call;
  const auto weight = filled(3);
  double of_the_host = 1;
  const auto function = [&](const Tensors& in) -> Tensors {
    const auto sum = in[0] * weight + of_the_host;
    return {in[1].defined() ? sum + in[1] : sum};
  };
  const auto first = call(function, {filled(1), {}})[0];
  EXPECT_EQ(value_of(first), 4);
  of_the_host = 50;  // is not seen any more
  const auto second = call(function, {filled(2), {}})[0];
  EXPECT_EQ(value_of(second), 7);
  EXPECT_EQ(value_of(first), 7) << "the next call overwrites the result";
  weight.fill_(10);  // in place: is seen
  EXPECT_EQ(value_of(call(function, {filled(2), {}})[0]), 21);
  EXPECT_EQ(device.recordings(), 1);
  EXPECT_EQ(device.replays(), 3);
}

TEST(RecordedCall, RecordsAnewForOtherFormsOnly) {
  test::HostAccelerator device;
  RecordedCall call;
  const auto function = [&](const Tensors& in) -> Tensors {
    return {in[1].defined() ? in[0] + in[1] : in[0] + 1};
  };
  const auto expect = [&](const Tensors& inputs, double value, int recordings) {
    EXPECT_EQ(value_of(call(function, inputs)[0]), value);
    EXPECT_EQ(device.recordings(), recordings);
  };
  expect({filled(1), {}}, 2, 1);
  expect({filled(5), {}}, 6, 1);
  expect({filled(5, {4}), {}}, 6, 2);
  expect({filled(5, {4}), filled(2, {4})}, 7, 3);
  expect({filled(5, {4}).to(at::kDouble), filled(2, {4})}, 7, 4);
}

TEST(RecordedCall, TheSameObjectIsNotCopiedAgain) {
  test::HostAccelerator device;
  RecordedCall call;
  const auto function = [&](const Tensors& in) -> Tensors { return {in[0] + in[1]}; };
  const auto same = filled(1);
  EXPECT_EQ(value_of(call(function, {filled(1), same})[0]), 2);
  same.fill_(5);  // which the contract forbids, and shows that it was not read
  EXPECT_EQ(value_of(call(function, {filled(2), same})[0]), 3);
  EXPECT_EQ(value_of(call(function, {filled(2), filled(5)})[0]), 7);
}

TEST(RecordedCall, GradientsAreRecordedToo) {
  test::HostAccelerator device;
  RecordedCall call;
  const auto function = [&](const Tensors& in) -> Tensors {
    const auto leaf = in[0].detach().set_requires_grad(true);
    const auto loss = (leaf * leaf * leaf).sum();
    loss.backward();
    return {leaf.grad()};
  };
  EXPECT_EQ(value_of(call(function, {filled(2)})[0]), 12);
  EXPECT_EQ(value_of(call(function, {filled(3)})[0]), 27);
}

TEST(RecordedCall, WaitingForTheDeviceIsAnError) {
  test::HostAccelerator device;
  RecordedCall call;
  const auto function = [&](const Tensors& in) -> Tensors { return {in[0] * in[0].sum().item<double>()}; };
  EXPECT_THROW(call(function, {filled(1)}), std::logic_error);
}

}  // namespace
}  // namespace w2w
