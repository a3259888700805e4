#include "engine_table.hpp"

namespace ichdet::nn {

Engine fastest_engine(const std::string&, Precision) { return Engine::torch; }

}  // namespace ichdet::nn
