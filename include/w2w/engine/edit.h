#pragma once
// Edits: what changes coefficients, and the people it leads to.

#include <optional>
#include <string>
#include <vector>

#include "w2w/engine/attributes.h"
#include "w2w/engine/picture_sheet.h"
#include "w2w/space/direction.h"
#include "w2w/space/identity.h"

namespace w2w {

struct AttributeStrength {
  std::string attribute;
  double strength;
};

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
  /// The same for an identity's history: a JSON object.
  std::string history() const;
};

/// `typed` with the names and signs that its attributes have in `source`; notices where they differ.
Edit with_known_names(Edit typed, const AttributeSource& source, const Run& run = {});
/// The same of a sweep, whose points all have one attribute.
std::vector<AttributeStrength> with_known_names(std::vector<AttributeStrength> typed,
                                                const AttributeSource& source, const Run& run = {});

/// One edited person of a run.
struct EditPoint {
  Edit edit;
  std::string name;        ///< for files: edit_name
  std::string heading;     ///< on the sheet
  Identity identity = {};  ///< the result
};

/// What an edit is called in the names of files: "Beard+2", "Bald+2_Beard-1_without-Male". Characters that
/// are trouble in file names are dashes; of more than three attributes some are only counted. Strengths have
/// `digits` significant digits.
std::string edit_name(const Edit& edit, int digits = 4);
/// Of all edits of a sweep: "Beard-2..+2".
std::string sweep_name(const Edit& common, const std::vector<AttributeStrength>& sweep);

/// One point, or with a sweep one for each of its strengths, added last.
std::vector<EditPoint> points_of(const Edit& common, const std::vector<AttributeStrength>& sweep);

/// `original` with all that `edit` adds, in `directions`, which are those of edit.attributes(). Its history
/// has the edit, too.
Identity edited_person(const Identity& original, const Edit& edit, const Directions& directions,
                       const AttributeSource& source, const Space& space, const Run& run = {});

/// A notice for each attribute that is added far beyond what the training models show of it.
void remark_strengths(const std::vector<EditPoint>& points, const Directions& directions, const Run& run);

/// The words of a run's sheet; pictures and row labels are to follow. `original`: there is a column of it.
PictureSheet empty_sheet(const std::string& stem, const std::vector<EditPoint>& points, bool is_sweep,
                         bool original, double inject_at);

/// "Male, Young, ..." for messages.
std::string first_names(const std::vector<std::string>& names);

}  // namespace w2w
