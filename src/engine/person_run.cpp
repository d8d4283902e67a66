#include "w2w/engine/person_run.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <chrono>
#include <cmath>
#include <optional>

#include "w2w/base/work_lock.h"

namespace w2w {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

class People {
 public:
  People(const PeopleWork& work, const Run& run)
      : work_(work), run_(run), total_(static_cast<int64_t>(work.tasks.size()) * work.steps) {}

  void run() {
    try {
      while (fill()) {
        run_.check_stop();
        step();
      }
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::interrupted) throw;
      for (const auto& place : places_) place.person->save(task(place).checkpoint);
      throw Error(error.kind(), error.what(),
                  work_.several ? "run the same command again to continue"
                                : "run the same command with <resume> to continue");
    }
    if (failed_.empty()) return;
    throw Error(ErrorKind::failure,
                fmt::format("{} of {} people could not be {}: {}", failed_.size(), work_.tasks.size(),
                            work_.participle, fmt::join(failed_, ", ")),
                "run the same command again to retry only these");
  }

 private:
  /// A person at work.
  struct Place {
    size_t index;
    std::unique_ptr<PersonRun> person;
    std::optional<WorkLock> lock = {};
    int64_t saved_at = 0;  ///< steps
  };

  const PersonTask& task(const Place& place) const { return work_.tasks[place.index]; }

  /// Whether anybody is left.
  bool fill() {
    while (places_.size() < work_.together && next_ < work_.tasks.size()) {
      const size_t index = next_++;
      guarded(index, [&] { enter(index); });
    }
    return !places_.empty();
  }

  void enter(size_t index) {
    const auto& [name, checkpoint] = work_.tasks[index];
    std::optional<WorkLock> lock;
    if (work_.several) {
      lock = WorkLock::try_hold(checkpoint);
      const bool finished = lock && work_.is_finished && work_.is_finished(index);
      if (!lock || finished) {
        done_ += work_.steps;
        const auto* what = finished ? "{} was {} by another process" : "{} is being {} by another process";
        return run_.notice(fmt::format(fmt::runtime(what), name, work_.participle));
      }
    }
    Place place{index, work_.open(index), std::move(lock)};
    if (work_.resume && fs::exists(checkpoint)) {
      place.person->resume(checkpoint);
      place.saved_at = place.person->steps();
      done_ += place.saved_at;
      run_.notice(fmt::format("resuming {} after step {} ({})", name, place.saved_at, checkpoint.string()));
    }
    if (work_.look) work_.look(index, *place.person);  // what an interruption may have cut off
    if (place.person->steps() >= work_.steps) return finish(place);
    places_.push_back(std::move(place));
  }

  void step() {
    std::vector<PersonRun*> people;
    for (auto& place : places_) people.push_back(place.person.get());
    if (people.size() == 1) {
      if (!guarded(places_.front().index, [&] { work_.step(people); })) return places_.clear();
    } else {
      work_.step(people);
    }
    done_ += static_cast<int64_t>(people.size());
    double loss = 0;
    for (const auto* person : people) loss += person->usual_loss() / static_cast<double>(people.size());
    const bool minute_over = Clock::now() - saved_ > std::chrono::minutes(1);
    if (minute_over) saved_ = Clock::now();
    std::erase_if(places_, [&](Place& place) {
      bool left = true;
      return !guarded(place.index, [&] { left = leaves(place, minute_over); }) || left;
    });
    run_.report({work_.verb, done_, total_, detail(loss)});
  }

  /// Whether the person is finished.
  bool leaves(Place& place, bool save_now) {
    auto& person = *place.person;
    if (!std::isfinite(person.loss())) {
      throw Error(ErrorKind::failure,
                  fmt::format("{}: the loss or its gradient is not finite at step {}", task(place).name,
                              person.steps()),
                  fmt::format("a learning rate below {} may help", work_.learning_rate));
    }
    const bool finished = person.steps() >= work_.steps;
    const auto unsaved = person.steps() - place.saved_at;
    if (!finished && (save_now || unsaved >= std::max<int64_t>(1, work_.steps / 20))) {
      place.saved_at = person.steps();
      person.save(task(place).checkpoint);
    }
    if (work_.look) work_.look(place.index, person);
    if (finished) finish(place);
    return finished;
  }

  void finish(const Place& place) {
    work_.finish(place.index, *place.person);
    if (work_.keep_checkpoints) {
      place.person->save(task(place).checkpoint);
    } else {
      fs::remove(task(place).checkpoint);
    }
    ++finished_;
  }

  /// Whether `action` went well; one of many does not stop the others.
  template <typename Action>
  bool guarded(size_t index, const Action& action) {
    try {
      action();
      return true;
    } catch (const Error& error) {
      if (!work_.several || error.kind() == ErrorKind::interrupted ||
          error.kind() == ErrorKind::out_of_memory)
        throw;
      if (work_.failed) work_.failed(index, error);
      failed_.push_back(work_.tasks[index].name);
      return false;
    }
  }

  std::string detail(double loss) const {
    if (work_.tasks.size() == 1) return fmt::format("loss {:.4f}", loss);
    return fmt::format("loss {:.4f}, {} of {} people", loss, finished_, work_.tasks.size());
  }

  const PeopleWork& work_;
  const Run& run_;
  std::vector<Place> places_;
  size_t next_ = 0;
  int64_t done_ = 0, total_, finished_ = 0;  ///< steps, steps, people
  Clock::time_point saved_ = Clock::now();
  std::vector<std::string> failed_;
};

}  // namespace

void run_people(const PeopleWork& work, const Run& run) { People(work, run).run(); }

}  // namespace w2w
