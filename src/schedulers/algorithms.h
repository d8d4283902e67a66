#pragma once
// One maker per algorithm. Each takes a config already adapted to its class (config_for_class).

#include <memory>

#include "w2w/schedulers/scheduler.h"

namespace w2w {

std::unique_ptr<Scheduler> make_pndm(const SchedulerConfig& config);
std::unique_ptr<Scheduler> make_ddim(const SchedulerConfig& config);
std::unique_ptr<Scheduler> make_euler(const SchedulerConfig& config);
std::unique_ptr<Scheduler> make_euler_ancestral(const SchedulerConfig& config);
std::unique_ptr<Scheduler> make_heun(const SchedulerConfig& config);
std::unique_ptr<Scheduler> make_lms(const SchedulerConfig& config);
std::unique_ptr<Scheduler> make_dpmpp_2m(const SchedulerConfig& config);
std::unique_ptr<Scheduler> make_unipc(const SchedulerConfig& config);

/// Error(malformed) unless config's `field` with this value is one of `supported`.
void require_one_of(std::string_view field, const std::string& value,
                    const std::vector<std::string>& supported);

}  // namespace w2w
