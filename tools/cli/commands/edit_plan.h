#pragma once
// What an edit is: its options as typed, and the points it leads to.

#include <optional>
#include <string>
#include <vector>

#include "cli/terminal/reporter.h"
#include "w2w/io/picture_sheet.h"
#include "w2w/space/direction.h"
#include "w2w/space/identity.h"

namespace w2w::cli {

struct AttributeStrength {
  std::string attribute;
  double strength;
};

/// "Eyeglasses=1.5". Error(usage) naming `option`.
AttributeStrength parse_strength(const std::string& text, const std::string& option = "--add");

/// "Eyeglasses=-3:3:7": 7 strengths from -3 to 3. Error(usage).
std::vector<AttributeStrength> parse_sweep(const std::string& text);

/// "Male,Young" -> Male Young, of all `texts`. Error(usage) for an empty name.
std::vector<std::string> parse_names(const std::vector<std::string>& texts, const std::string& option);

/// "+1.5", "0", with a real minus sign.
std::string signed_text(double strength);

/// Everything that decides how coefficients change.
struct Edit {
  std::vector<AttributeStrength> adds;
  std::vector<std::string> without;
  Debias debias = Debias::joint;
  bool raw = false;

  /// The attributes that take part, each once. Error(usage) for one that is added twice, or added and taken
  /// out.
  std::vector<std::string> attributes() const;
  /// The sum of all added directions, each without the others in `without`, f64 [k].
  at::Tensor step(const Directions& directions) const;
  /// The same as options of `w2w edit`.
  std::vector<std::string> arguments() const;
  /// The same for an identity's history.
  Json history() const;
};

/// One edited person of a run.
struct EditPoint {
  Edit edit;
  std::string suffix;      ///< of its outputs: "_edit", in a sweep "_edit-3"
  std::string heading;     ///< on the sheet
  Identity identity = {};  ///< the result
};

/// One point, or with a sweep (as typed) one for each of its strengths, added last.
std::vector<EditPoint> points_of(const Edit& common, const std::optional<std::string>& sweep);

/// The words of a run's sheet; pictures and row labels are to follow. `original`: there is a column of it.
PictureSheet empty_sheet(const std::string& stem, const std::vector<EditPoint>& points, bool is_sweep,
                         bool original, double inject_at);

/// "Male, Young, ..." for messages.
std::string first_names(const std::vector<std::string>& names);

}  // namespace w2w::cli
