#include "w2w/engine/person_run.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "support/expect_error.h"
#include "support/temporary_folder.h"
#include "w2w/base/work_lock.h"

namespace w2w {
namespace {

/// Counts its steps; a checkpoint is the number of steps as text.
class Counter final : public PersonRun {
 public:
  explicit Counter(int64_t fails_at) : fails_at_(fails_at) {}
  void step() { ++steps_; }
  int64_t steps() const override { return steps_; }
  double loss() const override { return steps_ == fails_at_ ? std::nan("") : 1.0; }
  double usual_loss() const override { return 1; }
  void save(const std::filesystem::path& checkpoint) const override { std::ofstream(checkpoint) << steps_; }
  void resume(const std::filesystem::path& checkpoint) override { std::ifstream(checkpoint) >> steps_; }

 private:
  int64_t steps_ = 0, fails_at_;
};

/// People of 10 steps each, of whom `failing` fails at its third.
struct World {
  test::TemporaryFolder folder;
  PeopleWork work;
  StopFlag stop;
  std::vector<std::string> said, failed;
  std::vector<size_t> finished;
  int64_t all_steps = 0, stop_after = -1;

  explicit World(std::vector<std::string> names, const std::string& failing = "") {
    work.steps = 10;
    for (const auto& name : names) work.tasks.push_back({name, folder / (name + ".state")});
    work.open = [this, failing](size_t i) {
      return std::make_unique<Counter>(work.tasks[i].name == failing ? 3 : -1);
    };
    work.step = [this](std::span<PersonRun* const> people) {
      for (auto* person : people) {
        static_cast<Counter*>(person)->step();
        if (++all_steps == stop_after) stop.request();
      }
    };
    work.finish = [this](size_t i, const PersonRun& person) {
      EXPECT_EQ(person.steps(), 10);
      finished.push_back(i);
    };
    work.failed = [this](size_t i, const Error&) { failed.push_back(work.tasks[i].name); };
  }

  void run() {
    run_people(work, {{}, &stop, [this](LogLevel, std::string_view text) { said.emplace_back(text); }});
  }
};

TEST(RunPeople, FillsPlacesInOrderAndLeavesNoCheckpoints) {
  World world({"a", "b", "c"});
  world.work.together = 2;
  world.run();
  EXPECT_EQ(world.finished, (std::vector<size_t>{0, 1, 2}));
  EXPECT_EQ(world.all_steps, 30);
  EXPECT_TRUE(std::filesystem::is_empty(world.folder.path()));
}

TEST(RunPeople, StoppedWorkIsSavedAndResumed) {
  World world({"a", "b", "c"});
  world.work.together = 2;
  world.work.resume = world.work.several = true;
  world.stop_after = 24;  // a and b are done, c has had its fourth step
  test::expect_error(ErrorKind::interrupted, "interrupted", [&] { world.run(); });
  EXPECT_EQ(world.finished, (std::vector<size_t>{0, 1}));
  World again({"c"});
  again.work.resume = true;
  again.work.tasks = {{"c", world.folder / "c.state"}};
  again.run();
  EXPECT_EQ(again.all_steps, 6);
  ASSERT_EQ(again.said.size(), 1U);
  EXPECT_TRUE(again.said[0].starts_with("resuming c after step 4 (")) << again.said[0];
}

TEST(RunPeople, OneOfManyFailsAlone) {
  World world({"a", "b", "c"}, "b");
  world.work.several = true;
  world.work.together = 3;
  test::expect_error(ErrorKind::failure, "1 of 3 people could not be inverted: b", [&] { world.run(); });
  EXPECT_EQ(world.failed, (std::vector<std::string>{"b"}));
  EXPECT_EQ(world.finished, (std::vector<size_t>{0, 2}));
}

TEST(RunPeople, AnotherProcessKeepsItsPeople) {
  World world({"anna", "bert", "carol"});
  world.work.several = true;
  world.work.is_finished = [](size_t i) { return i == 2; };
  {
    const auto others = WorkLock::try_hold(world.folder / "anna.state");
    ASSERT_TRUE(others);
    world.run();
  }
  EXPECT_EQ(world.finished, std::vector<size_t>{1});
  EXPECT_EQ(world.said[0], "anna is being inverted by another process");
  EXPECT_EQ(world.said[1], "carol was inverted by another process");
  EXPECT_TRUE(std::filesystem::is_empty(world.folder.path()));
  world.run();
  EXPECT_EQ(world.finished, (std::vector<size_t>{1, 0, 1}));
}

TEST(RunPeople, OfOneTheFailureIsTheWorks) {
  World world({"b"}, "b");
  test::expect_error(ErrorKind::failure, "b: the loss or its gradient is not finite at step 3",
                     [&] { world.run(); });
  EXPECT_TRUE(world.finished.empty());
}

}  // namespace
}  // namespace w2w
