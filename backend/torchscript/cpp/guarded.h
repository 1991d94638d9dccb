// How an exception becomes a message that Rust can read; it must not unwind through Rust's frames.
#pragma once

#include <cstring>
#include <exception>

namespace eagleeye {

// What `body` throws, as text that `ee_free_message` frees; null where it throws nothing.
template <typename Body>
char* guarded(Body body) {
  try {
    body();
    return nullptr;
  } catch (const std::exception& error) {
    return strdup(error.what());
  } catch (...) {
    return strdup("unknown C++ exception");
  }
}

}  // namespace eagleeye
