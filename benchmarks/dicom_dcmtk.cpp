// DCMTK's own reader on a list of files, for benchmarks/cases/dicom.py: dicom_dcmtk OUT FILE...
// Reads each file with DicomImage, which applies the modality transform; writes the values as float to OUT unless it
// is "-".
#include <dcmtk/config/osconfig.h>
// After DCMTK's configuration.
#include <dcmtk/dcmdata/dctk.h>
#include <dcmtk/dcmimgle/dcmimage.h>
#include <dcmtk/dcmimgle/dipixel.h>
#include <dcmtk/oflog/oflog.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

namespace {

template <class T>
void copy(const DiPixel& pixels, float* out) {
  std::copy_n(static_cast<const T*>(pixels.getData()), pixels.getCount(), out);
}

void append(const char* path, std::vector<float>& hu) {
  const DicomImage image(path);
  const DiPixel* pixels = image.getStatus() == EIS_Normal ? image.getInterData() : nullptr;
  if (pixels == nullptr) {
    std::fprintf(stderr, "%s: DCMTK cannot read it: %s\n", path, DicomImage::getString(image.getStatus()));
    std::exit(1);
  }
  const auto start = hu.size();
  hu.resize(start + pixels->getCount());
  float* out = hu.data() + start;
  switch (pixels->getRepresentation()) {
    case EPR_Uint8: return copy<Uint8>(*pixels, out);
    case EPR_Sint8: return copy<Sint8>(*pixels, out);
    case EPR_Uint16: return copy<Uint16>(*pixels, out);
    case EPR_Sint16: return copy<Sint16>(*pixels, out);
    case EPR_Uint32: return copy<Uint32>(*pixels, out);
    case EPR_Sint32: return copy<Sint32>(*pixels, out);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  OFLog::configure(OFLogger::OFF_LOG_LEVEL);
  std::vector<float> hu;
  hu.reserve(std::size_t(argc - 2) * 512 * 512);
  for (int i = 2; i < argc; ++i) append(argv[i], hu);
  if (std::string(argv[1]) != "-") {
    std::ofstream(argv[1], std::ios::binary)
        .write(reinterpret_cast<const char*>(hu.data()), std::streamsize(hu.size() * sizeof(float)));
  }
}
