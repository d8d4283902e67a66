#pragma once
// Messages for people. The library never prints: it hands lines to a sink, which a program sets (default:
// dropped).

#include <functional>
#include <string>
#include <string_view>

namespace w2w {

enum class LogLevel { debug, notice, warning };
using LogSink = std::function<void(LogLevel, std::string_view)>;

void set_log_sink(LogSink sink);

void debug(std::string_view message);
void notice(std::string_view message);
void warn(std::string_view message);

}  // namespace w2w
