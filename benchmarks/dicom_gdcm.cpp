// GDCM's own reader on a list of files, for benchmarks/cases/dicom.py: dicom_gdcm OUT FILE...
// Reads each file with gdcm::ImageReader and rescales to float; writes the values to OUT unless it is "-".
#include <gdcmImageReader.h>
#include <gdcmRescaler.h>
#include <gdcmTrace.h>

#include <cstdio>
#include <cstdlib>
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

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  gdcm::Trace::WarningOff();
  const auto hu = read_all(argc - 2, argv + 2);
  if (std::string(argv[1]) != "-") {
    std::ofstream(argv[1], std::ios::binary)
        .write(reinterpret_cast<const char*>(hu.data()), std::streamsize(hu.size() * sizeof(float)));
  }
}
