// DICOM to windowed channels, for a network of your own: needs ichdet::io alone, no LibTorch.
#include <array>
#include <ichdet/io/study.hpp>
#include <ichdet/preprocess/window.hpp>
#include <iostream>

int main(int argc, char** argv) {
  if (argc != 2) return std::cerr << "usage: 02_windows_without_torch STUDY\n", 2;
  const auto study = ichdet::io::read_study(argv[1]);
  const std::array windows{ichdet::parse_window("brain"), ichdet::parse_window("subdural"),
                           ichdet::parse_window("40,380")};
  ichdet::WindowOptions options;
  options.order = ichdet::ChannelOrder::slice_first;
  const auto channels = ichdet::window_channels(study.stack.hu, windows, options);
  std::cout << channels.extent(0) << " slices of " << channels.extent(1) << " channels, " << channels.extent(2) << " x "
            << channels.extent(3) << ", tilt " << study.stack.geometry.tilt_degrees() << " degrees\n";
}
