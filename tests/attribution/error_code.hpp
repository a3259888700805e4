#pragma once

#include "ichdet/core/error.hpp"

/// The code of the error that `body` throws; -1 where it throws none.
template <class Body>
ichdet::ErrorCode code_of(const Body& body) {
  try {
    body();
  } catch (const ichdet::Error& e) {
    return e.code();
  }
  return ichdet::ErrorCode(-1);
}
