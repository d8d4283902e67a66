#include "w2w/pipeline/scheduler_file.h"

#include "io/json_file.h"
#include "w2w/base/error.h"

namespace w2w {
namespace {

ConfigValue config_value(const nlohmann::json& value, const std::string& name,
                         const std::filesystem::path& path) {
  if (value.is_null()) return std::monostate();
  if (value.is_boolean()) return value.get<bool>();
  if (value.is_number_integer()) return value.get<int64_t>();
  if (value.is_number()) return value.get<double>();
  if (value.is_string()) return value.get<std::string>();
  try {
    return value.get<std::vector<double>>();
  } catch (const nlohmann::json::exception&) {
    throw Error(ErrorKind::malformed, "scheduler config has a value of unknown type (" + path.string() +
                                          "): \"" + name + "\" is " + value.dump());
  }
}

SchedulerConfig sd15_scheduler() {
  auto config = default_config("PNDMScheduler");
  set_field(config, "beta_start", 0.00085);
  set_field(config, "beta_end", 0.012);
  set_field(config, "beta_schedule", std::string("scaled_linear"));
  set_field(config, "skip_prk_steps", true);
  set_field(config, "steps_offset", int64_t{1});
  set_field(config, "set_alpha_to_one", false);
  return config;
}

}  // namespace

SchedulerConfig read_scheduler_config(const std::filesystem::path& path, const Run& run) {
  if (path.empty()) return sd15_scheduler();
  const auto object = read_json_object(path);
  const auto class_name = object.find("_class_name");
  if (class_name == object.end() || !class_name->is_string()) {
    throw Error(ErrorKind::malformed, "scheduler config names no \"_class_name\" (" + path.string() + ")");
  }
  auto config = default_config(class_name->get<std::string>());
  for (const auto& [name, value] : object.items())
    set_field(config, name, config_value(value, name, path), run);
  return amended_for_stable_diffusion(config);
}

}  // namespace w2w
