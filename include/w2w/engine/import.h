#pragma once
// A LoRA as a person of the space.

#include "w2w/base/run.h"
#include "w2w/engine/person_file.h"
#include "w2w/space/space.h"

namespace w2w {

/// The coefficients found for a LoRA, and what they do not hold of it.
struct ImportedLora {
  Identity identity;
  int64_t components = 0;      ///< that were used
  int64_t rank = 0;            ///< the highest of the LoRA's factors
  double outside = 0;          ///< Projection::outside
  double change_outside = 0;   ///< Projection::change_outside
  double rank_outside = 0;     ///< Projection::rank_outside
  int64_t left_out = 0;        ///< matrices of the LoRA that are not part of the space
  double left_out_change = 0;  ///< their share of the whole change of weights (Frobenius norm)
};

/// Finds the coefficients of a LoRA and says in notices what the space does not hold of it. `space` is bound.
/// `partial` leaves out what the file changes outside the space's matrices; otherwise that is an
/// Error(failure) saying how much it is. Errors of read_lora and project.
ImportedLora import_lora(const PersonFile& person, const Space& space, int64_t components, bool partial,
                         const Run& run = {});

/// The coefficients of `person`, imported with all components when it is a LoRA. Error(failure) when it does
/// not fit the space.
Identity coefficients_of(const PersonFile& person, const Space& space, const Run& run = {});

}  // namespace w2w
