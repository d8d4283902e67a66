#pragma once
// Which training timesteps and noise levels a walk of N steps visits.

#include "w2w/schedulers/noise_schedule.h"

namespace w2w {

/// How N timesteps are laid out; it matters for linspace and leading spacing only.
enum class Grid {
  whole,       ///< N points over the whole range, rounded (PNDM, DDIM)
  fractional,  ///< N points over the whole range, not rounded (Euler, LMS, Heun)
  open,  ///< N + 1 points, rounded, without the lowest, which the last step lands on (DPM-Solver, UniPC)
};

/// Descending, at most `steps` + 1 entries.
std::vector<double> timestep_grid(const SchedulerConfig& config, int64_t steps, Grid grid);

struct SigmaGrid {
  std::vector<double> timesteps;  ///< one per step, descending
  std::vector<float> sigmas;      ///< one more: the last is where the walk ends
};

/// Noise levels of timestep_grid, linearly interpolated; or Karras et al. 2022, eq. 5 with rho = 7, between
/// the highest and lowest noise level of the grid (Grid::open: of training), and the timesteps that belong to
/// them.
SigmaGrid sigma_grid(const SchedulerConfig& config, const NoiseSchedule& schedule, int64_t steps, Grid grid);

}  // namespace w2w
