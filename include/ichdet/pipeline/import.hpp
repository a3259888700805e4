#pragma once

#include <filesystem>

#include "ichdet/pipeline/make_bundle.hpp"

namespace ichdet {

/// Makes a bundle of MindGrab as brainchop-models keeps it: a folder with model.json (the layers) and model.pth (their
/// weights). Throws Error(weights) where the two are not MindGrab's, naming the file, what was expected and what was
/// found, Error(io) where one is missing or `bundle` exists and is not empty.
void import_mindgrab(const std::filesystem::path& folder, const std::filesystem::path& bundle,
                     const BundleOptions& options = {});

}  // namespace ichdet
