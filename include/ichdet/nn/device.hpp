#pragma once

#include <c10/core/Device.h>

#include <string>

namespace ichdet {

/// "cpu", "cuda", "cuda:1", ... Throws Error(options), which begins with `subject`, where LibTorch has no such device.
at::Device find_device(const std::string& name, const std::string& subject);

}  // namespace ichdet
