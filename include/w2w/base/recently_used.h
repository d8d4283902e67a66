#pragma once
#include <cstddef>
#include <list>
#include <map>
#include <utility>

namespace w2w {

/// The values of the keys used last, at most `capacity` of them: a cache that long work does not fill memory
/// with.
template <typename Key, typename Value>
class RecentlyUsed {
 public:
  explicit RecentlyUsed(size_t capacity) : capacity_(capacity) {}

  /// Null where the key is not, or no longer, known; valid until the next insert.
  const Value* find(const Key& key) {
    const auto known = places_.find(key);
    if (known == places_.end()) return nullptr;
    entries_.splice(entries_.begin(), entries_, known->second);
    return &known->second->second;
  }

  /// For a key that find did not know.
  const Value& insert(const Key& key, Value value) {
    if (entries_.size() == capacity_) {
      places_.erase(entries_.back().first);
      entries_.pop_back();
    }
    entries_.emplace_front(key, std::move(value));
    places_[key] = entries_.begin();
    return entries_.front().second;
  }

  size_t size() const { return entries_.size(); }

 private:
  using Entries = std::list<std::pair<Key, Value>>;  ///< the one used last comes first

  size_t capacity_;
  Entries entries_;
  std::map<Key, typename Entries::iterator> places_;
};

}  // namespace w2w
