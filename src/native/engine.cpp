#include <ATen/Functions.h>
#include <ATen/Parallel.h>

#include <algorithm>

#include "../nn/engine.hpp"
#include "../nn/tile_product.hpp"
#include "../nn/workspace.hpp"
#include "ichdet/core/error.hpp"
#include "ichdet/nn/prepare.hpp"
#include "lowering.hpp"

namespace ichdet::nn {
namespace {

using native::Format;
using native::Program;
using native::Step;

/// What this CPU multiplies fastest.
Format format_for(const CompileOptions& options) {
  const bool float32 = options.precision == Precision::float32;
  if (options.amx && has_amx_bf16()) return float32 ? Format::split : Format::bfloat16;
  if (float32 && has_avx512()) return Format::float32;
  if (!float32 && has_avx512_bf16()) return Format::bfloat16;
  throw Error(ErrorCode::options, float32 ? "native: needs a CPU with AVX-512"
                                          : "native: bfloat16 needs a CPU with AMX, or AVX-512's products of bfloat16");
}

std::string form_of(Format format) {
  if (format == Format::float32) return "traced graph on tiles of float32";
  return std::string("traced graph on ") + (has_amx_bf16() ? "AMX " : "") + "tiles of bfloat16, float32 sums" +
         (format == Format::split ? ", values split in two" : "");
}

void share(std::int64_t units, const std::function<void(std::int64_t, std::int64_t)>& run) {
  if (units > 0) at::parallel_for(0, units, 1, run);
}

void run_image(const Program& program, char* arena, const float* image, float* out) {
  for (std::size_t i = 0; i < program.steps.size(); ++i) {
    const auto& step = program.steps[i];
    if (step.before) step.before(arena);
    if (i == 0) share(program.rows_read, [&](auto begin, auto end) { program.read(image, arena, begin, end); });
    share(step.units, [&](auto begin, auto end) { step.run(arena, begin, end); });
  }
  share(program.rows_written, [&](auto begin, auto end) { program.write(arena, out, begin, end); });
}

}  // namespace

Compiled compile_native(const std::shared_ptr<torch::jit::Graph>& graph, const CompileOptions& options,
                        std::shared_ptr<Workspace> workspace) {
  const auto format = format_for(options);
  const auto lowered = [&] {
    try {
      return native::lower(*graph, format);
    } catch (const Error&) {
      throw;
    } catch (const std::exception& e) {  // of a graph that is like none it knows
      throw Error(ErrorCode::options, std::string("native: ") + e.what());
    }
  };
  const auto program = std::make_shared<const Program>(lowered());
  if (!workspace) workspace = new_workspace();
  Compiled compiled;
  compiled.form = form_of(format);
  compiled.activation_bytes = program->bytes;  // of one image; prepare knows how many run at once
  compiled.run = [program, workspace](const at::Tensor& given) {
    const auto input = given.to(at::kFloat).contiguous();
    auto shape = program->output_shape;
    shape[0] = input.size(0);
    auto output = at::empty(shape);
    const auto images = input.size(0), from = input.numel() / images, to = output.numel() / images;
    const auto run = [&](std::int64_t begin, std::int64_t end) {
      auto memory = workspace->take(std::size_t(program->bytes));
      char* arena = memory->as<char>(program->bytes);
      for (auto i = begin; i < end; ++i) {
        run_image(*program, arena, input.const_data_ptr<float>() + i * from, output.data_ptr<float>() + i * to);
      }
      workspace->give_back(std::move(memory));
    };
    // A thread for each image where there are enough of them, else the threads share each image's steps.
    if (images >= at::get_num_threads()) {
      at::parallel_for(0, images, 1, run);
    } else {
      run(0, images);
    }
    return output;
  };
  return compiled;
}

}  // namespace ichdet::nn
