#pragma once
// What of a downloaded release is there, as rows of a table: for `space verify` and `doctor`.

#include <string>
#include <vector>

#include "cli/terminal/reporter.h"
#include "w2w/space/release.h"

namespace w2w::cli {

/// "3.99 GB", "399 kB": three digits, in powers of 1000 as downloads count.
std::string size_text(int64_t bytes);

/// "ok", "CUT", "WRONG", "MISSING", or "-" for what may be missing.
std::string mark_of(const ReleaseFile& file);

/// What there is of it: "3.99 GB", "1.20 of 3.99 GB", "(3.99 GB)" of a missing one, or empty.
std::string size_of(const ReleaseFile& file);

Json json_of(const ReleaseFile& file);

/// The command that fetches what is missing, cut short or wrong and is needed for something, into the
/// folder's place; empty when there is nothing to fetch.
std::string fetch_command(const std::vector<ReleaseFile>& files, const std::filesystem::path& folder);

}  // namespace w2w::cli
