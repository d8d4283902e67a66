#pragma once
// What inversions and trainings have in common: a person at work, and many people worked through.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "w2w/base/error.h"
#include "w2w/base/run.h"

namespace w2w {

/// One person who is inverted or trained: goes step by step, can be saved after any of them and resumed by
/// another process, which comes to the same bytes.
class PersonRun {
 public:
  virtual ~PersonRun() = default;
  virtual int64_t steps() const = 0;      ///< done
  virtual double loss() const = 0;        ///< of the last step; not finite: it has failed
  virtual double usual_loss() const = 0;  ///< averaged over the last steps
  virtual void save(const std::filesystem::path& checkpoint) const = 0;
  /// Error(failure) for the checkpoint of another run, Error(malformed) for a damaged one.
  virtual void resume(const std::filesystem::path& checkpoint) = 0;
};

/// A person of many.
struct PersonTask {
  std::string name;
  std::filesystem::path checkpoint;  ///< where the state is saved until the person is finished
};

/// How people are worked through. The functions are called with the index of the task.
struct PeopleWork {
  std::string verb = "inverting", participle = "inverted";
  std::vector<PersonTask> tasks;
  int64_t steps = 0;  ///< of each person
  double learning_rate = 0;
  size_t together = 1;  ///< people who share each step
  bool resume = false;  ///< from the checkpoint, where there is one
  bool keep_checkpoints = false;
  /// A person who fails does not stop the others; one on whom another process is at work is left to it.
  bool several = false;

  std::function<std::unique_ptr<PersonRun>(size_t)> open;  ///< reads what the person is made of
  std::function<void(std::span<PersonRun* const>)> step;   ///< one step of all these
  std::function<void(size_t, PersonRun&)> look = {};       ///< before the first step and after each
  std::function<void(size_t, const PersonRun&)> finish;    ///< writes the results
  std::function<void(size_t, const Error&)> failed = {};   ///< with `several`
  std::function<bool(size_t)> is_finished = {};            ///< by another process meanwhile, with `several`
};

/// People enter in order, as soon as there is room for one. States are saved at least every twentieth of the
/// steps and every minute, and when the work is stopped: then it is Error(interrupted). A person whose loss
/// is no longer a number has failed; with `several`, Error(failure) names those who did when all others are
/// finished.
void run_people(const PeopleWork& work, const Run& run);

}  // namespace w2w
