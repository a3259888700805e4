"""What the public headers declare is there in Python, with the same words and defaults, or is left out on purpose."""

import ast
import inspect
import re
from fnmatch import fnmatchcase

import pytest

pytest.importorskip("torch")

import ichdet  # noqa: E402
from cpp_headers import OPTIONS, SHIFT, read_headers  # noqa: E402

HEADERS = read_headers()
HOMES = {"": ("ichdet", "ichdet.nn"), "io": ("ichdet",), "draw": ("ichdet",), "models": ("ichdet.nn",),
         "attribution": ("ichdet.attribution",), "ensemble": ("ichdet.ensemble",), "evaluate": ("ichdet.evaluate",),
         "train": ("ichdet.train",)}  # fmt: skip

# What Python calls what it has by another name or as a class's own; a network, what `create` calls it.
NAMED = {
    "to_json": "ichdet.StudyResult.to_dict", "to_json_text": "ichdet.StudyResult.to_json",
    "study_result_from_json": "ichdet.StudyResult.from_dict", "write_result": "ichdet.StudyResult.write",
    "read_result": "ichdet.StudyResult.read", "slice_table": "ichdet.StudyResult.slice_table",
    "finding": "ichdet.StudyResult.finding", "summary": "ichdet.StudyResult.summary",
    "html_page": "ichdet.evaluate.Evaluation.html_page", "figures_markdown": "ichdet.evaluate.figures_markdown",
    "model_card": "ichdet.evaluate.model_card", "scores_of": "ichdet.evaluate.scores_of",
    "shown": "ichdet.SliceView.shown",
    "parse_window": "ichdet.Window.parse", "NamedWindow": "ichdet.named_windows",
    "window_channels_into": "ichdet.window_channels", "make_phantom": "ichdet.phantom",
    "io::is_wrapped_12bit": "ichdet.SliceRef.is_wrapped_12bit", "io::PixelLayout": "ichdet.SliceRef",
    "parse_spec": "ichdet.ModelSpec.from_dict", "model_of": "ichdet.Recipe.model_spec",
    "builtin_recipes": "ichdet.recipes",
    "open_bundles": "ichdet.nn.open_named", "resolve_bundle": "ichdet.resolve_bundles",
    "default_cache_folder": "ichdet.cache_folder", "shipped_models": "ichdet.models",
    "ShippedModel": "ichdet.ModelEntry",
    "builtin_registry": "ichdet.models", "RegistryEntry": "ichdet.ModelEntry", "models::load": "ichdet.nn.Network",
    "PreparedNetwork": "ichdet.nn.Network", "verify": "ichdet.nn.Network.verify",
    "save_state_dict": "ichdet.nn.Network.save_state_dict", "load_state_dict": "ichdet.nn.Network.load_state_dict",
    "make_untrained_bundle": "ichdet.nn.make_bundle", "ensemble::Calibration": "ichdet.ensemble.calibrate",
    "evaluate::CohortModel": "ichdet.evaluate.Cohort", "evaluate::join_cohort": "ichdet.evaluate.read_cohort",
    "evaluate::confusion_at": "ichdet.evaluate.confusion", "evaluate::AucCovariance": "ichdet.evaluate.delong",
    "evaluate::hausdorff_mm": "ichdet.evaluate.SurfaceDistances.hausdorff_mm",
    "evaluate::surface_dice": "ichdet.evaluate.SurfaceDistances.surface_dice",
    "evaluate::mean_surface_distance_mm": "ichdet.evaluate.SurfaceDistances.mean_mm",
    "evaluate::threshold_for_sensitivity": "ichdet.evaluate.choose_threshold",
    "evaluate::threshold_by_youden": "ichdet.evaluate.choose_threshold",
    "evaluate::threshold_by_cost": "ichdet.evaluate.choose_threshold",
    "evaluate::Pointing": "ichdet.attribution.Pointing", "evaluate::pointing_game": "ichdet.attribution.pointing_game",
    "evaluate::energy_inside": "ichdet.attribution.energy_inside",
    "evaluate::EqualArea": "ichdet.attribution.EqualArea",
    "evaluate::equal_area": "ichdet.attribution.equal_area", "evaluate::pixel_auc": "ichdet.attribution.pixel_auc",
    "evaluate::rank_correlation": "ichdet.attribution.rank_correlation",
    "attribution::explained": "ichdet.attribution.Explained",
    "attribution::scores_of": "ichdet.attribution.Explained.scores",
    "attribution::gradients_of": "ichdet.attribution.Explained.gradients",
    "attribution::baseline_of": "ichdet.attribution.baseline",
    "attribution::joined": "ichdet.attribution.joined_curves",
    "attribution::felzenszwalb_scales": "ichdet.attribution.felzenszwalb",
    "attribution::region_masks": "ichdet.attribution.RegionMasks",
    "attribution::to_tensor": "ichdet.attribution.RegionMasks.tensor",
    "attribution::masks_of_labels": "ichdet.attribution.RegionMasks.of_labels",
    "attribution::dilated": "ichdet.attribution.RegionMasks.dilated",
    "attribution::top_regions": "ichdet.attribution.XraiRegions.top",
    "train::augment_options": "ichdet.train.AugmentOptions.from_dict",
    "train::no_augmentation": "ichdet.train.AugmentOptions.none",
    "train::distractor_options": "ichdet.train.DistractorOptions.from_dict",
    "train::synthesis_options": "ichdet.train.SynthesisOptions.from_dict",
    "train::make_examples": "ichdet.train.Examples", "train::batches": "ichdet.train.Examples.batch",
    "train::JudgedSlice": "ichdet.attribution.JudgedSlice",
    "train::JudgedExplanations": "ichdet.attribution.JudgedExplanations",
    "train::judge_explanations": "ichdet.attribution.judge_explanations",
    "train::write_reference": "ichdet.train.Judged.write_reference",
    "train::prepare_study": "ichdet.train.prepare_studies",
    "train::split_hash": "ichdet.train.Dataset.split_hash", "train::write_split": "ichdet.train.Dataset.write_split",
    "train::stack_of": "ichdet.train.TrainingStudy.stack", "train::mask_of": "ichdet.train.TrainingStudy.mask",
    "models::DeepMedicImpl": "DeepMedic", "models::DenseNetImpl": "DenseNet121", "models::DynUNetImpl": "DynUNet",
    "models::EfficientClassificationImpl": "EfficientClassification", "models::EfficientNetImpl": "EfficientNetB0",
    "models::InceptionResNetV2Impl": "InceptionResNetV2", "models::InceptionUNetImpl": "InceptionUNet",
    "models::MindGrabImpl": "MindGrab", "models::MobileNetV1Impl": "MobileNetV1",
    "models::MobileNetV2Impl": "MobileNetV2",
    "models::MobileNetLstmImpl": "MobileNetLSTM", "models::NnUNetImpl": "PlainConvUNet",
    "models::ResNetImpl": "ResNet18",
    "models::UNet3DImpl": "UNet3D", "models::VggImpl": "VGG19", "models::ViolaUnetImpl": "ViolaUnet",
    "models::WeightModelImpl": "WeightModel",
}  # fmt: skip
LEFT_OUT = {
    "words are words in Python, read where they are taken": """
        *parse_precision *parse_engine *parse_search_region *parse_strip_engine *parse_case_rule hemorrhage_type
        *parse_export_format
        hemorrhage_side ensemble::parse_* attribution::parse_* train::parse_fold *to_string""",
    "texts are read from files and dicts": """
        parse_recipe parse_registry parse_ensemble parse_calibration parse_own_spec train::parse_training
        train::loss_spec
        train::optimizer_spec train::schedule_spec scores_from_json train::to_json_text""",
    "a tuple, dict, array or number in Python": """
        IndexBox Box Components Image WeightedWindow SliceMap io::NiftiVolume io::SeriesChoice PaintedLabels
        evaluate::Interval evaluate::ThresholdChoice evaluate::KolmogorovSmirnov evaluate::QuantityDrift
        evaluate::DriftReport evaluate::Figures evaluate::TypeFigures evaluate::WorstCase evaluate::FigurePair
        evaluate::ModelChoice evaluate::SliceOutcome evaluate::MapFigure attribution::BlurSlope
        attribution::HeadGradient
        attribution::Nodes attribution::class_score attribution::highest_score train::Chance train::Batch train::Slab
        train::SplitPart train::Fold train::LossSpec train::OptimizerSpec train::ScheduleSpec train::TrainingSpec
        train::TrainResult train::FineTuneData train::FineTuned ModelCard TensorView ExpectedFile""",
    "checks that others make": "check check_shape ensemble::check check_new_place require_task train::require_slices",
    "memory that networks share: in Python the members of a detector do, and no one else": "nn::new_workspace",
    "NumPy's, tqdm's and Python's own": """
        Array Progress StopScope parallel_for resolve_threads io::write_npy sha256 byte_size""",
    "how files are decoded": """
        io::ByteSource io::DicomDataset io::DicomElement io::DicomHeader io::read_dicom_header io::tag_in_file
        io::FrameReader io::decode_with_gdcm io::decode_jpeg_lossless io::decode_rle io::to_hu io::mark_padding
        io::describe""",
    "how bundles are found and fetched": """
        cached_bundle_folder is_cached CacheLock Registry download shipped_bundles find_shipped shipped_names
        shipped_model find_ensemble find_members members_of ScriptCall run_script Staging""",
    "how tables are read and curves are counted": """
        evaluate::CsvTable evaluate::parse_csv evaluate::read_csv evaluate::number_in evaluate::Ranking evaluate::rank
        evaluate::sorted_quantile evaluate::add_masks evaluate::map_figures""",
    "how pictures are drawn; matplotlib and ichdet.plot draw in Python": """
        draw::* svg::* draw_heat_map draw_color_bar color_bar_width PictureSetup picture_setup labels_by_slice
        draw_panel""",
    "how a head is made": """
        HeadShape Displacement HeadSample HeadModel tentorium_height_mm WaveField counter_hash counter_uniform
        counter_normal lattice_noise shapes::* phantom_detail::*""",
    "how networks are built, and made ready": """
        find_device prepare_gradient to_state_dict least_weight Layout layout_of PatchViews models::load_weights
        models::forward_in_slabs models::Classifier models::SegmentationNetwork models::TORCH_MODULE models::ones
        models::convolution models::upsampling models::pointwise models::efficientnet_b0_trunk models::InceptionConv
        models::MobileStyle models::MobileStage models::MobileTrunk attribution::MaskRows attribution::occupied_rows""",
    "told by FitResult.bfloat16": "train::multiplies_in_bfloat16",
    "layers inside networks": """
        models::FpnResampleImpl models::FpnNodeImpl models::BiFpnImpl models::EfficientNetStagesImpl
        models::EfficientDetImpl models::ConvolutionImpl models::NormImpl models::PreActBlockImpl
        models::DeepMedicPathImpl
        models::DenseLayerImpl models::DenseTransitionImpl models::DynBlockImpl models::DynUpBlockImpl
        models::ConvNormReluImpl models::InceptionBlockImpl models::ConvNormImpl models::InceptionModuleImpl
        models::MobileBlockImpl models::NnLayerImpl models::NnResidualImpl models::BasicBlockImpl
        models::UNetConvolutionImpl models::UNetResidualImpl models::ViolaBranchImpl models::ViolaAttentionImpl""",
    "how training keeps and counts": """
        train::CompactAnatomy train::CompactHu train::anatomy_of train::label_index train::label_names train::crc32c
        train::make_optimizer train::set_learning_rate train::data_model train::Answer train::Model train::open_model
        train::uncalibrated train::with_random_weights train::ReferenceScores train::read_results train::read_reference
        train::reference_file""",
    "what train does at its end": "train::calibrate_bundle",
    "no one asked for it in Python yet": "csv markdown plot draw_drift",
}
# Enums: where their words stand, in the text of what takes or has them, or in a list.
WORDS = {
    "CaseRuleKind": ichdet.CaseRule, "ExportFormat": ichdet.nn.export_network, "Precision": ichdet.nn.Segmenter, "Engine": ichdet.nn.Segmenter,
    "SearchRegion": ichdet.nn.Segmenter, "StripEngine": ichdet.nn.SkullStripper, "HemorrhageType": ichdet.Hemorrhage,
    "Side": ichdet.Hemorrhage, "HeadsUpVariant": ichdet.heads_up, "Interpolation": ichdet.resample_to,
    "Rounding": ichdet.window_8bit, "ChannelOrder": ichdet.window_channels, "Kernel": ichdet.resize,
    "Connectivity": ichdet.connected_components, "ErrorCode": [kind.code for kind in ichdet.Error.__subclasses__()],
    "io::SetAsideRule": ichdet.SetAside.rule, "Task": ichdet.ModelSpec.task, "Activation": ichdet.ModelSpec.activation,
    "AxisOrder": ichdet.ModelSpec.axes, "ImageSpec::Fit": ichdet.ImageSpec.fit,
    "ImageSpec::Centre": ichdet.ImageSpec.centre,
    "Blending": ichdet.PatchSpec.blending, "Padding": ichdet.PatchSpec.padding, "PatchPlaces": ichdet.PatchSpec.places,
    "ProcedureSpec::Crop": ichdet.ProcedureSpec.crop, "ProcedureSpec::Merge": ichdet.ProcedureSpec.merge,
    "ProcedureSpec::Inversion": ichdet.ProcedureSpec.inversion, "FileRole": ichdet.PublishedFile.role,
    "ensemble::CalibrationMethod": ichdet.ensemble.Calibrator, "ensemble::CombineRule": ichdet.ensemble.combine,
    "evaluate::KappaWeights": ichdet.evaluate.cohen_kappa, "evaluate::Drift": ichdet.evaluate.drift,
    "attribution::Method": ichdet.attribution.attribution_methods(),
    "attribution::Baseline": ichdet.attribution.baseline,
    "attribution::CamMethod": ichdet.attribution.grad_cam, "attribution::Joined": ichdet.attribution.joined_curves,
    "attribution::Quadrature": ichdet.attribution.quadrature_nodes, "attribution::Reduction": ichdet.attribution.to_map,
    "attribution::XraiAlgorithm": ichdet.attribution.xrai_regions, "models::NormKind": ichdet.nn.create,
    "models::UNet3DOptions::Act": ichdet.nn.create, "train::SamplingOptions::Balance": ichdet.train.Sampler,
}  # fmt: skip
NO_WORDS = {
    "DType": "of tensors; NumPy's and torch's own",
    "io::TransferSyntax": "a UID in Python",
    "models::Fit": "what load_weights is told inside",
    "models::Activation2d": "a layer's",
    "HeadModel::Field": "how a head is made",
    "draw::Face": "how pictures are drawn",
    "train::LossSpec::Kind": "a recipe's words (docs/training.md)",
    "train::OptimizerSpec::Kind": "a recipe's words (docs/training.md)",
    "train::ScheduleSpec::Kind": "a recipe's words (docs/training.md)",
}
# A value's word, where it is not the value with - or a space for _.
WORD = {"automatic": "auto", "grad_cam_plus_plus": "grad-cam++", "f32": "float32", "kCPU": "cpu", "faces": 6,
        "edges": 18, "corners": 26, "any": "union", "not_dicom": "not DICOM", "not_ct": "not CT",
        "exam_summary": "exam summary/secondary capture", "stray_image": "stray orientation"}  # fmt: skip
# Members of options and arguments with another keyword, or a part of one.
KEYWORDS = {
    "WindowOptions.low_value": "range[0]", "WindowOptions.high_value": "range[1]", "LesionOptions.labels": "which",
    "attribution::XraiSegmentOptions.low": "value_range[0]", "attribution::XraiSegmentOptions.high": "value_range[1]",
    "GeometryTolerance.position_mm": "tolerance_mm", "io::DicomLimits.nesting": "max_nesting",
    "io::DicomLimits.elements": "max_elements", "io::DicomLimits.value_bytes": "max_value_bytes",
    "io::DicomLimits.inflated_bytes": "max_inflated_bytes", "train::DataOptions.manifests": "data",
}  # fmt: skip
# Arguments that differ on purpose: {why: (function or class, its arguments)}.
OTHERWISE = {
    "see nn::new_workspace": {"ichdet.*": "PrepareOptions.workspace"},
    "its network runs with the defaults": {
        "ichdet.nn.SkullStripper": "PrepareOptions.* SegmenterOptions.*",
        "ichdet.nn.skull_strip": "PrepareOptions.* SegmenterOptions.*",
    },
    "of one method: ichdet.attribution has it, and takes SliceExplainer.explained": {
        "ichdet.nn.SliceExplainer": """
            attribution::CamOptions.* attribution::GuidedIgOptions.* attribution::BlurIgOptions.*
            attribution::XraiOptions.*
            attribution::XraiSegmentOptions.* attribution::XraiRegionOptions.* attribution::OcclusionOptions.*
            attribution::RiseOptions.* attribution::IntegratedGradientsOptions.*""",
    },
    "methods are compared as they are; `path_steps` and `threads` alone can be told": {
        "ichdet.attribution.judge_explanations": """
            ExplainOptions.* PrepareOptions.* attribution::*Options.* train::ExplanationJudgeOptions.methods""",
    },
    "left at C++'s defaults: no one asked for it in Python yet": {
        "ichdet.attribution.judge_explanations": "train::PreparationOptions.* evaluate::BootstrapOptions.confidence",
        "ichdet.evaluate.Evaluation.html_page": "PageOptions.made_by PageOptions.predictions PageOptions.truth",
        "ichdet.train.finetune": """
            evaluate::BootstrapOptions.confidence evaluate::BootstrapOptions.seed train::FineTuneOptions.command""",
        "ichdet.train.judge": """
            train::PreparationOptions.allow_gaps train::PreparationOptions.anatomy train::PreparationOptions.cache
            train::PreparationOptions.mask_tolerance_mm""",
        "ichdet.train.read_training_data": "train::PreparationOptions.*",
        "ichdet.train.train": """
            train::TrainOptions.command train::TrainOptions.data_words train::TrainOptions.split_hash
            train::TrainOptions.version""",
    },
    "of members, whose bundles and ensemble file say it": {
        "ichdet.nn.EnsembleDetector": "ClassifierOptions.* ReviewRange.*",
        "ichdet.nn.open_detector": "ClassifierOptions.*",
    },
    "fine points, which Segmenter and Detector have": {
        "ichdet.nn.EnsembleDetector": """
            SegmenterOptions.max_patch_voxels SegmenterOptions.clear_background SegmenterOptions.float32_share""",
        "ichdet.nn.open_detector": """
            SegmenterOptions.max_patch_voxels SegmenterOptions.clear_background SegmenterOptions.float32_share
            ReviewRange.*""",
    },
    "an argument of its own": {
        "ichdet.train.finetune": "train::FineTuneOptions.folder",
        "ichdet.train.train": "train::TrainOptions.folder",
        "ichdet.nn.write_classification": "ClassificationOptions.window",
        "ichdet.nn.EnsembleDetector": "own",
        "ichdet.nn.open_detector": "names",
        "ichdet.nn.SliceExplainer": "ExplainOptions.smooth",
        "ichdet.attribution.rise_masks": "attribution::RiseOptions.masks",
    },
    "asked for in Python: no value would do": {
        "ichdet.nn.import_monai": "MonaiImportOptions.blood",
        "ichdet.nn.import_nnunet": "NnunetImportOptions.blood",
        "ichdet.nn.sliding_window": "SlidingWindowOptions.input SlidingWindowOptions.output",
    },
    "the same value, made by a call": {
        "ichdet.attribution.pointing_game": "evaluate::PointingOptions.spacing",
        "ichdet.render_classification": "ClassificationOptions.window",
        "ichdet.render_explanation": "ExplanationOptions.window",
        "ichdet.train.fit": "train::FitOptions.optimizer train::FitOptions.schedule",
    },
    "which changes nothing there": {
        "ichdet.attribution.unscaled_map": """
            attribution::CamOptions.aug_smooth attribution::CamOptions.create_graph
            attribution::CamOptions.mirrored_axis""",
        "ichdet.nn.ExamClassifier.best_images": """
            attribution::CamOptions.aug_smooth attribution::CamOptions.create_graph
            attribution::CamOptions.mirrored_axis""",
        "ichdet.nn.SliceClassifier.heat_maps": """
            attribution::CamOptions.create_graph attribution::CamOptions.mirrored_axis""",
        "ichdet.nn.import_mindgrab": "BundleOptions.parent BundleOptions.split_sha256",
        "ichdet.nn.import_monai": "BundleOptions.parent BundleOptions.split_sha256",
        "ichdet.nn.import_nnunet": "BundleOptions.parent BundleOptions.split_sha256",
        "ichdet.read_nifti_labels": "io::NiftiOptions.nonfinite_hu",
        "ichdet.render_sheet": "OverlayOptions.slice_px",
        "ichdet.render_slice": "OverlayOptions.max_tiles OverlayOptions.tile_px",
        "ichdet.window": "WindowOptions.order",
        "ichdet.window_8bit": "WindowOptions.high_value WindowOptions.low_value WindowOptions.order",
        "ichdet.window_channels_8bit": "WindowOptions.high_value WindowOptions.low_value",
    },
    "what C++ callers share between calls": {
        "ichdet.evaluate.areas": "multiplicity",
        "ichdet.evaluate.sensitivity_at": "multiplicity",
        "ichdet.render_sheet": "OverlayOptions.setup",
        "ichdet.render_slice": "OverlayOptions.setup",
        "ichdet.nn.prepare": "whole",
        "ichdet.read_ensemble": "own",
    },
    "the statistic is a Python function, called in one thread": {
        "ichdet.evaluate.bootstrap": "evaluate::BootstrapOptions.threads evaluate::BootstrapOptions.progress",
    },
}
# Structs of options that nothing takes, and members that are no option of `create`'s.
NOT_TAKEN = {"PanelOptions": "how pictures are drawn", "models::InceptionBlockOptions": "a layer's"}
OF_ARCHITECTURES = {
    "models::DynUNetOptions.viola_att": "ViolaUnet has it",
    "models::NnUNetOptions.residual": "ResidualEncoderUNet has it",
    "models::NnUNetOptions.n_per_stage": "n_conv_per_stage or n_blocks_per_stage",
}
REQUIRED = inspect.Parameter.empty


def named(path):
    """What a dotted name means; None where there is nothing."""
    value = ichdet
    for name in path.split(".")[1:]:
        value = getattr(value, name, None)
    return value


def in_python(name, other=NAMED):
    """(dotted name, what it is) of a C++ function or class; None where Python has none."""
    space, _, short = name.rpartition("::")
    if other.get(name) in ichdet.nn.architectures():
        return "ichdet.nn.create", ichdet.nn.create
    for place in [other[name]] if name in other else [f"{home}.{short}" for home in HOMES.get(space, ())]:
        if callable(named(place)) or isinstance(named(place), property):
            return place, named(place)


def in_python_call(call):
    """The same of a function, a constructor ("Sampler.Sampler") or a method."""
    owner, _, method = call.partition(".")
    found = in_python(owner)
    if found and method and method != owner.rpartition("::")[2]:
        place = f"{found[0]}.{method}"
        return place, named(place)
    return found


def signatures(value):
    """{argument: default} of each overload; a default that is made by a call is its text."""
    value = value.__init__ if inspect.isclass(value) else value
    lines = [re.sub(r"<.*?>|^\d+\. ", "", line) for line in (value.__doc__ or "").splitlines()]
    lines = [line for line in lines if re.match(rf"{value.__name__}\(.*\) -> ", line)]
    if not lines:
        return [{name: argument.default for name, argument in inspect.signature(value).parameters.items()}]
    found = []
    for line in lines:
        a = ast.parse(f"def {line}: ...").body[0].args
        defaults = [*zip(reversed(a.args), reversed(a.defaults)), *zip(a.kwonlyargs, a.kw_defaults)]
        found.append({x.arg: REQUIRED for x in a.args + a.kwonlyargs} | {x.arg: read(d) for x, d in defaults if d})
    return found


def read(default):
    try:
        return ast.literal_eval(default)
    except ValueError:
        return ast.unparse(default)


def words(value):
    return {WORD.get(value, value), *(value.replace("_", sign) for sign in "- ")}


def flat(value):
    return [part for one in value for part in flat(one)] if isinstance(value, (list, tuple)) else [value]


def same(cpp, python):
    """Whether a default as a header writes it is this value; nothing is None, empty or zeros."""
    if cpp in ("", "{}", "std::nullopt", "nlohmann::json::object()"):
        return not python or not any(flat(python))
    if re.fullmatch(r"[\w:]+::\w+", cpp):
        return python in words(cpp.rsplit("::")[-1])
    text = re.sub(r"std::int64_t[({](\d+)[)}]", r"\1", cpp).replace(SHIFT, "<<")
    text = re.sub(r"(?<=\d)['Ff]", "", text) if not text.startswith('"') else text
    text = text.translate(str.maketrans("{}", "[]")).replace("true", "True").replace("false", "False")
    return flat(eval(text, {"__builtins__": {}})) == flat(python)


def same_struct(options, python):
    """The same of a struct of options that Python takes as one: made from nothing, or a tuple of its members."""
    if isinstance(python, str):
        return python == f"{options.rpartition('::')[2]}()"
    defaults = [default for _, default in HEADERS.options[options].values()]
    return len(defaults) == len(flat(python)) and all(map(same, defaults, flat(python)))


def options_of(type_, space):
    """The struct of options that an argument is of."""
    found = re.search(rf"((?:\w+::)*{OPTIONS})&?$", type_)
    names = [f"{space}::{found[1]}", found[1]] if found else []
    return next((name for name in names if name in HEADERS.options), None)


def space_of(name):
    return name.rpartition("::")[0]


def differences(given, space, overloads, owner=""):
    """(argument, how it differs) of C++'s arguments from Python's."""
    for name, (type_, default) in given.items():
        options = options_of(type_, space)
        keyword, part = re.fullmatch(r"(\w+)(?:\[(\d)\])?", KEYWORDS.get(owner + name, name)).groups()
        values = [overload[keyword] for overload in overloads if keyword in overload]
        if values and not (options and REQUIRED in values):
            values = [value[int(part)] if part else value for value in values]
            if not all(same_struct(options, v) if options else v is not REQUIRED and same(default, v) for v in values):
                yield owner + name, f"{default or 'nothing'} in C++, {values} in Python"
        elif options:
            yield from differences(HEADERS.options[options], space_of(options), overloads, f"{options}.")
        else:
            yield owner + name, "no keyword"


def optional(given, space):
    return {name: (type_, default) for name, (type_, default) in given.items() if default or options_of(type_, space)}


def bound_calls():
    """(dotted name, namespace, optional arguments of a C++ overload, signatures in Python)"""
    for call, overloads in HEADERS.calls.items():
        found = in_python_call(call)
        if found and callable(found[1]) and found[1] is not ichdet.nn.create:
            space = space_of(call.partition(".")[0])
            known = signatures(found[1])
            yield from ((found[0], space, optional(given, space), known) for given in overloads)


def all_options(given, space):
    for type_, _ in given.values():
        options = options_of(type_, space)
        if options:
            yield options
            yield from all_options(HEADERS.options[options], space_of(options))


def listed(table):
    return [(key, name) for key, names in table.items() for name in names.split()]


def unmatched(names, patterns):
    return [name for name in names if not any(fnmatchcase(name, pattern) for pattern in patterns)]


def unused(patterns, names):
    return [pattern for pattern in patterns if not any(fnmatchcase(name, pattern) for name in names)]


def test_names():
    types = {name for name in HEADERS.places if name in HEADERS.enums or re.search(rf"\b{OPTIONS}$", name)}
    without = [name for name in HEADERS.places if not in_python(name) and name not in types]
    left_out = [pattern for _, pattern in listed(LEFT_OUT)]
    assert not unmatched(without, left_out), "in C++ alone, and not in LEFT_OUT"
    assert not unused(left_out, without), "there by now, or gone from C++"
    assert not [name for name in NAMED if name not in HEADERS.places or not in_python(name)], "gone"
    assert not [name for name in NAMED if in_python(name, {})], "needs no entry"


@pytest.mark.parametrize("name", HEADERS.enums)
def test_words(name):
    assert (name in WORDS) != (name in NO_WORDS)
    if name in WORDS:
        place = WORDS[name]
        known = place if isinstance(place, list) else re.findall(r"""(?<!\w)['"][^'"\n]+['"]|\b\d+\b""", place.__doc__)
        known = {word.strip("'\"") for word in known}
        assert not [value for value in HEADERS.enums[name] if not {str(word) for word in words(value)} & known]


def test_words_are_of_enums():
    assert {*WORDS, *NO_WORDS} == {*HEADERS.enums}


def test_arguments():
    found = {}
    for place, space, given, known in bound_calls():
        found.update({f"{place} {name}": how for name, how in differences(given, space, known)})
    expected = [f"{place} {name}" for reason in OTHERWISE.values() for place, name in listed(reason)]
    assert not {argument: found[argument] for argument in unmatched(found, expected)}
    assert not unused(expected, found), "the same by now, or gone"


def test_options_are_taken():
    taken = {options for _, space, given, _ in bound_calls() for options in all_options(given, space)}
    architectures = {name for name in HEADERS.options if name.startswith("models::")}
    assert {*HEADERS.options} - taken - architectures == {name for name in NOT_TAKEN if name not in architectures}
    unknown = {f"{name}.{key}" for name in architectures - {*NOT_TAKEN} for key in HEADERS.options[name]
               if not re.search(rf"\b{key}\b", ichdet.nn.create.__doc__)}  # fmt: skip
    assert unknown == {*OF_ARCHITECTURES}
