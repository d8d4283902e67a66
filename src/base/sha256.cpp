#include "w2w/base/sha256.h"

#include <openssl/evp.h>

namespace w2w {
namespace {
EVP_MD_CTX* get(const std::shared_ptr<void>& context) { return static_cast<EVP_MD_CTX*>(context.get()); }
}  // namespace

Sha256::Sha256() : context_(EVP_MD_CTX_new(), [](void* p) { EVP_MD_CTX_free(static_cast<EVP_MD_CTX*>(p)); }) {
  EVP_DigestInit_ex(get(context_), EVP_sha256(), nullptr);
}

Sha256& Sha256::update(const void* bytes, size_t size) {
  EVP_DigestUpdate(get(context_), bytes, size);
  return *this;
}

std::string Sha256::hex() {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  EVP_DigestFinal_ex(get(context_), digest, &size);
  std::string text;
  for (unsigned i = 0; i < size; ++i) {
    constexpr char digits[] = "0123456789abcdef";
    text += digits[digest[i] >> 4];
    text += digits[digest[i] & 15];
  }
  return text;
}

}  // namespace w2w
