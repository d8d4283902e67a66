#pragma once
#include <gtest/gtest.h>

#include <string>

#include "w2w/base/error.h"

namespace w2w::test {

/// Runs `body` and expects it to throw w2w::Error of `kind` whose message contains `text`, and whose hint
/// contains `hint`.
template <typename Body>
void expect_error(ErrorKind kind, const std::string& text, Body body, const std::string& hint = {}) {
  try {
    body();
    ADD_FAILURE() << "no error; expected one with '" << text << "'";
  } catch (const Error& error) {
    EXPECT_EQ(static_cast<int>(error.kind()), static_cast<int>(kind)) << error.what();
    EXPECT_NE(std::string(error.what()).find(text), std::string::npos) << error.what();
    EXPECT_NE(error.hint().find(hint), std::string::npos) << error.what() << "\nhint: " << error.hint();
  }
}

}  // namespace w2w::test
