#include "w2w/engine/person_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "w2w/base/error.h"
#include "w2w/engine/edit.h"
#include "w2w/io/tensor_file.h"
#include "w2w/lora/formats.h"
#include "w2w/space/people_matrix.h"

namespace w2w {
namespace {

namespace fs = std::filesystem;

/// The file's or folder's name, or its folder's where the file has the name of a format.
std::string stem_of(const std::string& given) {
  auto path = fs::path(given).lexically_normal();
  if (!path.has_filename()) path = path.parent_path();
  const auto name = path.filename().string();
  const bool generic = name == "w2wmodel.pt" || name == "pytorch_lora_weights.safetensors" ||
                       name == "adapter_model.safetensors" || name == "adapter_model.bin" ||
                       name == "pytorch_lora_weights.bin";
  if (generic && path.has_parent_path()) return path.parent_path().filename().string();
  return fs::is_directory(path) ? name : path.stem().string();
}

bool is_lora(const std::string& path) {
  if (is_lora_folder(path)) return true;
  if (fs::is_directory(path)) return false;
  const auto tensors = read_tensor_file(path).tensors;
  return std::any_of(tensors.begin(), tensors.end(),
                     [](const auto& entry) { return entry.first.find("lora") != std::string::npos; });
}

PersonFile open_single(const std::string& path) {
  if (!fs::exists(path))
    throw Error(ErrorKind::not_found, "no such identity (" + path + ")",
                "an identity is a coefficient file, a w2wmodel.pt, a LoRA file or a PEFT folder");
  PersonFile person{path, stem_of(path), {}};
  if (is_identity(path)) person.coefficients = read_identity(path);
  return person;
}

/// One of the people in a file, "people.safetensors:anna".
struct Choice {
  std::string file, which;
};

/// What a path that does not exist may mean. Names of files may have colons, too, as may those of people: the
/// longest beginning that is a file of people counts.
std::optional<Choice> choice_in(const std::string& path) {
  for (auto colon = path.rfind(':'); colon != std::string::npos && colon > 0;
       colon = path.rfind(':', colon - 1)) {
    auto file = path.substr(0, colon);
    if (is_people_matrix(file)) return Choice{std::move(file), path.substr(colon + 1)};
  }
  return std::nullopt;
}

PersonFile person_of(const PeopleMatrix& people, const std::string& file, int64_t row) {
  const auto name = people.names.empty() ? std::to_string(row) : people.names[static_cast<size_t>(row)];
  const auto stem = people.names.empty() ? fmt::format("{}-{}", stem_of(file), row) : name;
  return {fmt::format("{}:{}", file, name), stem, people.person(row)};
}

/// In order of their names.
std::vector<fs::path> tensor_files(const fs::path& folder) {
  std::vector<fs::path> paths;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const auto& path = entry.path();
    const auto extension = path.extension();
    const bool hidden = path.filename().string().starts_with('.');
    if (!hidden && !entry.is_directory() && (extension == ".safetensors" || extension == ".pt"))
      paths.push_back(path);
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

}  // namespace

std::string PersonFile::person() const {
  constexpr std::string_view lora = "_lora";
  return stem.ends_with(lora) && stem.size() > lora.size() ? stem.substr(0, stem.size() - lora.size()) : stem;
}

PersonFile open_person(const std::string& path) {
  std::error_code error;  // a path that cannot be looked at is told of below
  if (!fs::exists(path, error)) {
    if (const auto choice = choice_in(path)) {
      const auto people = read_people_matrix(choice->file);
      return person_of(people, choice->file, people.row(choice->which, choice->file));
    }
  }
  if (!is_people_matrix(path)) return open_single(path);
  const auto people = read_people_matrix(path);
  if (people.size() == 1) return person_of(people, path, 0);
  throw Error(ErrorKind::usage, fmt::format("expected one person, found {} ({})", people.size(), path),
              fmt::format("choose one by name or row, such as {}", person_of(people, path, 0).path));
}

std::vector<PersonFile> open_people(const std::string& path) {
  std::vector<PersonFile> all;
  if (!is_people_matrix(path)) {
    all.push_back(open_person(path));
    return all;
  }
  const auto people = read_people_matrix(path);
  for (int64_t row = 0; row < people.size(); ++row) all.push_back(person_of(people, path, row));
  return all;
}

std::vector<PersonFile> open_people(const std::vector<std::string>& paths) {
  std::vector<PersonFile> all;
  for (const auto& path : paths) {
    for (auto& person : open_people(path)) all.push_back(std::move(person));
  }
  return all;
}

std::vector<PersonFile> open_coefficients(const std::string& folder_or_file, const Run& run) {
  if (!fs::is_directory(folder_or_file)) {
    auto all = open_people(folder_or_file);
    if (all.front().coefficients) return all;
    throw Error(ErrorKind::usage, fmt::format("expected coefficients, found a LoRA ({})", folder_or_file),
                "<import> converts a LoRA to coefficients");
  }
  std::vector<std::string> others;
  std::vector<PersonFile> all;
  for (const auto& path : tensor_files(folder_or_file)) {
    run.check_stop();
    if (!is_identity(path)) {
      others.push_back(path.filename().string());
      continue;
    }
    for (auto& person : open_people(path.string())) all.push_back(std::move(person));
  }
  if (!others.empty())
    run.notice(fmt::format("no coefficients, left out ({}): {}", folder_or_file, first_names(others)));
  if (!all.empty()) return all;
  throw Error(ErrorKind::not_found,
              fmt::format("no coefficients in this folder ({}): expected .safetensors or .pt "
                          "files of people",
                          folder_or_file));
}

PersonFile open_person(std::string_view bytes, const std::string& name) {
  MemoryFile file(bytes);
  auto person = open_person(file.path().string());
  person.stem = fs::path(name).filename().stem().string();
  person.bytes = std::move(file);
  return person;
}

Identity read_coefficients(const PersonFile& person) {
  if (person.coefficients) return *person.coefficients;
  if (!is_lora(person.path)) return read_identity(person.path);  // says what is wrong with it
  throw Error(ErrorKind::usage, fmt::format("edit needs coefficients, found a LoRA ({})", person.path),
              "<import> converts a LoRA to coefficients");
}

std::string trigger_of(const PersonFile& person) {
  if (person.coefficients) return person.coefficients->trigger;
  const auto metadata = read_tensor_file(lora_file(person.path)).metadata;
  const auto found = metadata.find("modelspec.trigger_phrase");
  return found == metadata.end() ? "" : found->second;
}

Identity describe_lora(const std::string& path) {
  Identity identity;
  const auto metadata = read_tensor_file(lora_file(path)).metadata;
  const auto take = [&](const char* key, std::string& value) {
    if (const auto found = metadata.find(key); found != metadata.end()) value = found->second;
  };
  take("w2w.space", identity.space_hash);
  take("w2w.basis", identity.basis);
  take("w2w.model", identity.model);
  take("w2w.history", identity.history);
  take("modelspec.trigger_phrase", identity.trigger);
  return identity;
}

}  // namespace w2w
