#include "ichdet/models/create.hpp"

#include <nlohmann/json.hpp>

#include "ichdet/core/error.hpp"
#include "ichdet/models/deepmedic.hpp"
#include "ichdet/models/densenet.hpp"
#include "ichdet/models/dynunet.hpp"
#include "ichdet/models/efficient_classification.hpp"
#include "ichdet/models/efficientnet.hpp"
#include "ichdet/models/inception_resnet_v2.hpp"
#include "ichdet/models/inception_unet.hpp"
#include "ichdet/models/mindgrab.hpp"
#include "ichdet/models/mobilenet_lstm.hpp"
#include "ichdet/models/nnunet.hpp"
#include "ichdet/models/resnet.hpp"
#include "ichdet/models/unet3d.hpp"
#include "ichdet/models/vgg.hpp"
#include "ichdet/models/viola_unet.hpp"
#include "ichdet/models/weight_model.hpp"

namespace ichdet::models {
namespace {

using Make = std::shared_ptr<Network> (*)(const nlohmann::json& options, const std::string& subject);

template <class Impl, class Options>
std::shared_ptr<Network> make(const nlohmann::json& options, const std::string& subject) {
  return std::make_shared<Impl>(Options::from_json(options, subject));
}

const std::pair<const char*, Make> families[] = {
    {"DeepMedic", make<DeepMedicImpl, DeepMedicOptions>},
    {"DenseNet121", make<DenseNetImpl, ClassifierOptions>},
    {"DynUNet", make<DynUNetImpl, DynUNetOptions>},
    {"EfficientClassification", make<EfficientClassificationImpl, EfficientClassificationOptions>},
    {"EfficientNetB0", make<EfficientNetImpl, EfficientNetOptions>},
    {"InceptionResNetV2", make<InceptionResNetV2Impl, ClassifierOptions>},
    {"InceptionUNet", make<InceptionUNetImpl, InceptionUNetOptions>},
    {"MindGrab", make<MindGrabImpl, MindGrabOptions>},
    {"MobileNetLSTM", make<MobileNetLstmImpl, MobileNetLstmOptions>},
    {"MobileNetV1", make<MobileNetV1Impl, ClassifierOptions>},
    {"MobileNetV2", make<MobileNetV2Impl, ClassifierOptions>},
    {"PlainConvUNet", make<NnUNetImpl, PlainConvUNetOptions>},
    {"ResNet18", make<ResNetImpl, ResNetOptions>},
    {"ResidualEncoderUNet", make<NnUNetImpl, ResidualEncoderUNetOptions>},
    {"UNet3D", make<UNet3DImpl, UNet3DOptions>},
    {"VGG19", make<VggImpl, ClassifierOptions>},
    {"ViolaUnet", make<ViolaUnetImpl, ViolaUnetOptions>},
    {"WeightModel", make<WeightModelImpl, WeightModelOptions>},
};

}  // namespace

std::vector<std::string> architectures() {
  std::vector<std::string> names;
  for (const auto& [name, make] : families) names.emplace_back(name);
  return names;
}

std::shared_ptr<Network> create(const std::string& architecture, const nlohmann::json& options,
                                const std::string& subject) {
  std::string known;
  for (const auto& [name, make] : families) {
    known += (known.empty() ? "" : ", ") + std::string(name);
    if (name != architecture) continue;
    auto network = make(options, subject);
    network->eval();
    return network;
  }
  throw Error::mismatch(ErrorCode::weights, subject + ": /architecture/name", "one of " + known, architecture);
}

}  // namespace ichdet::models
