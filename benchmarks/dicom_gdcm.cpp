// GDCM's own reader on a list of files, for benchmarks/dicom_read.py: dicom_gdcm OUT FILE...
// Reads each file with gdcm::ImageReader and rescales to float. Prints seconds by the clock and of the processor (the
// fastest of three passes) and the megabytes of a first pass; writes the values to OUT unless it is "-".
#include <gdcmImageReader.h>
#include <gdcmRescaler.h>
#include <gdcmTrace.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <string>
#include <vector>

namespace {

void append(const char* path, std::vector<float>& hu) {
  gdcm::ImageReader reader;
  reader.SetFileName(path);
  if (!reader.Read()) {
    std::fprintf(stderr, "%s: GDCM cannot read it\n", path);
    std::exit(1);
  }
  const gdcm::Image& image = reader.GetImage();
  std::vector<char> stored(image.GetBufferLength());
  image.GetBuffer(stored.data());
  gdcm::Rescaler rescaler;
  rescaler.SetIntercept(image.GetIntercept());
  rescaler.SetSlope(image.GetSlope());
  rescaler.SetPixelFormat(image.GetPixelFormat());
  rescaler.SetTargetPixelType(gdcm::PixelFormat::FLOAT32);
  rescaler.SetUseTargetPixelType(true);
  const std::size_t start = hu.size();
  hu.resize(start + stored.size() / (image.GetPixelFormat().GetBitsAllocated() / 8));
  rescaler.Rescale(reinterpret_cast<char*>(hu.data() + start), stored.data(), stored.size());
}

std::vector<float> read_all(int count, char** paths) {
  std::vector<float> hu;
  hu.reserve(std::size_t(count) * 512 * 512);
  for (int i = 0; i < count; ++i) append(paths[i], hu);
  return hu;
}

double resident_mb(const std::string& field) {
  std::ifstream status("/proc/self/status");
  std::string line;
  while (std::getline(status, line)) {
    if (line.rfind(field, 0) == 0) return std::strtod(line.c_str() + field.size() + 1, nullptr) / 1024;
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  gdcm::Trace::WarningOff();
  read_all(1, argv + 2);
  const double before = resident_mb("VmRSS");
  std::ofstream("/proc/self/clear_refs") << "5";  // VmHWM starts anew
  const auto first = read_all(argc - 2, argv + 2);
  if (std::string(argv[1]) != "-") {
    std::ofstream(argv[1], std::ios::binary)
        .write(reinterpret_cast<const char*>(first.data()), std::streamsize(first.size() * sizeof(float)));
  }
  const double memory = resident_mb("VmHWM") - before;
  double clock_s = 1e9, cpu_s = 1e9;
  for (int run = 0; run < 3; ++run) {
    const auto start = std::chrono::steady_clock::now();
    const std::clock_t cpu = std::clock();
    read_all(argc - 2, argv + 2);
    clock_s = std::min(clock_s, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    cpu_s = std::min(cpu_s, double(std::clock() - cpu) / CLOCKS_PER_SEC);
  }
  std::printf("%.6f %.6f %.1f\n", clock_s, cpu_s, memory);
}
