#pragma once
// Options as this program adds them: values are checked when they are parsed, an error says what was expected
// and found, the last of several wins, and the name shown for a value ("N", "FILE", "auto|cpu|cuda") also
// feeds help and completion.

#include <CLI/App.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace w2w::cli {

struct IntegerRange {
  int64_t low, high;
};
struct NumberRange {
  double low, high;
};

/// "--steps" of "--steps,--num-inference-steps": the first long name, by which an option is called in
/// messages.
std::string display_name(std::string_view names);

/// "a, b and c".
std::string listed(const std::vector<std::string>& names, std::string_view conjunction);

/// The whole of `text` as a number within `range`; otherwise Error(usage) naming `option`.
int64_t parse_integer(const std::string& option, std::string_view text, IntegerRange range);
double parse_number(const std::string& option, std::string_view text, NumberRange range);
/// Whether the whole of `text` is one.
bool is_number(std::string_view text);
/// true, on, yes, 1 and their opposites; otherwise Error(usage).
bool parse_switch(const std::string& option, std::string_view text);

/// "Male,Young" -> Male Young. Error(usage) naming `option` and that it expects `what` for an empty part.
std::vector<std::string> parse_list(const std::string& option, std::string_view text, const std::string& what,
                                    const std::string& example);

/// An option with one value, handed to `set` (which may throw Error). `names` as CLI11 writes them:
/// "-s,--seed".
CLI::Option* add_value(CLI::App& app, const std::string& names, const std::string& value_name,
                       const std::string& help, std::function<void(const std::string&)> set);

/// A repeatable option: "-p A -p B".
CLI::Option* add_list(CLI::App& app, const std::string& names, std::vector<std::string>& target,
                      const std::string& value_name, const std::string& help);

/// All free arguments of a command.
CLI::Option* add_arguments(CLI::App& app, const std::string& name, std::vector<std::string>& target,
                           const std::string& help);

CLI::Option* add_switch(CLI::App& app, const std::string& names, bool& target, const std::string& help);

/// `target` is a string, or an optional one where "not given" matters; so for the others.
template <typename Target>
CLI::Option* add_text(CLI::App& app, const std::string& names, Target& target, const std::string& value_name,
                      const std::string& help) {
  return add_value(app, names, value_name, help, [&target](const std::string& text) { target = text; });
}

template <typename Target>
CLI::Option* add_integer(CLI::App& app, const std::string& names, Target& target, IntegerRange range,
                         const std::string& help) {
  return add_value(app, names, "N", help,
                   [&target, range, name = display_name(names)](const std::string& text) {
                     const int64_t value = parse_integer(name, text, range);
                     if constexpr (requires { typename Target::value_type; }) {
                       target = static_cast<typename Target::value_type>(value);
                     } else {
                       target = static_cast<Target>(value);
                     }
                   });
}

template <typename Target>
CLI::Option* add_number(CLI::App& app, const std::string& names, Target& target, NumberRange range,
                        const std::string& help) {
  return add_value(app, names, "X", help,
                   [&target, range, name = display_name(names)](const std::string& text) {
                     target = parse_number(name, text, range);
                   });
}

/// Throws Error(usage) with the nearest name unless `text` is one of `choices`.
void check_choice(const std::string& option, const std::string& text,
                  const std::vector<std::string>& choices);

template <typename Target>
struct EnumOf {
  using type = Target;
};
template <typename Target>
struct EnumOf<std::optional<Target>> {
  using type = Target;
};

template <typename Target>
CLI::Option* add_choice(CLI::App& app, const std::string& names, Target& target,
                        const std::vector<std::string>& choices, const std::string& help) {
  std::string value_name;
  for (const auto& choice : choices) value_name += (value_name.empty() ? "" : "|") + choice;
  return add_value(app, names, value_name, help,
                   [&target, choices, name = display_name(names)](const std::string& text) {
                     check_choice(name, text, choices);
                     target = text;
                   });
}

/// As add_choice, of an enum whose values have these names in their order.
template <typename Target>
CLI::Option* add_named(CLI::App& app, const std::string& names, Target& target,
                       const std::vector<std::string>& values, const std::string& help) {
  std::string value_name;
  for (const auto& value : values) value_name += (value_name.empty() ? "" : "|") + value;
  return add_value(app, names, value_name, help,
                   [&target, values, name = display_name(names)](const std::string& text) {
                     check_choice(name, text, values);
                     const auto i = std::find(values.begin(), values.end(), text) - values.begin();
                     target = static_cast<typename EnumOf<Target>::type>(i);
                   });
}

/// CLI11 2.1.2 takes a free argument "[a, b]" apart and swallows "++". Arguments it would damage are passed
/// through it with a mark in front, which every value of this file loses again.
std::string protect_argument(const std::string& argument);

}  // namespace w2w::cli
