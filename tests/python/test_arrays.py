"""Volumes, label maps, probability maps and stacks as arrays: whose memory, and which inputs are copied or refused."""

import copy
import pickle

import numpy as np
import pytest
import torch

import ichdet

GRID = ichdet.Geometry.aligned(size=(5, 4, 3), spacing_mm=(0.5, 0.5, 5))
SHAPE = (3, 4, 5)
SLICES = ichdet.SliceGeometry(GRID)
NAMES = ["background", "blood"]

# How each is made of an array, the name of its array, and the array's type and shape.
KINDS = {
    "Volume": (lambda x: ichdet.Volume(x, GRID), "hu", "float32", SHAPE),
    "LabelMap": (lambda x: ichdet.LabelMap(x, NAMES, GRID), "labels", "uint8", SHAPE),
    "ProbabilityMap": (lambda x: ichdet.ProbabilityMap(x, NAMES, GRID), "values", "float32", (2, *SHAPE)),
    "SliceStack": (lambda x: ichdet.SliceStack(SLICES, x), "hu", "float32", SHAPE),
    "SliceLabels": (lambda x: ichdet.SliceLabels(x, NAMES, SLICES), "labels", "uint8", SHAPE),
}


@pytest.fixture(params=KINDS)
def kind(request):
    return KINDS[request.param]


def values(dtype, shape):
    return np.arange(np.prod(shape)).reshape(shape).astype(dtype)


def address(array):
    return array.__array_interface__["data"][0]


def test_numpy_array_goes_in_and_out_without_copy(kind):
    make, name, dtype, shape = kind
    source = values(dtype, shape)
    made = make(source)
    assert address(getattr(made, name)) == address(np.asarray(made)) == address(source)
    assert getattr(made, name).dtype == source.dtype and made.shape == shape
    source[...] = 7
    assert np.all(getattr(made, name) == 7)


def test_torch_tensor_goes_in_and_out_without_copy(kind):
    make, name, dtype, shape = kind
    source = torch.zeros(shape, dtype=getattr(torch, dtype))
    made = make(source)
    assert address(getattr(made, name)) == source.data_ptr()
    assert torch.from_dlpack(made).data_ptr() == source.data_ptr()
    assert torch.from_numpy(np.asarray(made)).data_ptr() == source.data_ptr()
    assert tuple(torch.from_dlpack(made).shape) == shape


def test_memoryview_dlpack_and_array_share(kind):
    make, name, dtype, shape = kind
    made = make(values(dtype, shape))
    view = memoryview(made)
    assert view.shape == shape and view.format == np.dtype(dtype).char and not view.readonly
    assert address(np.from_dlpack(made)) == address(np.asarray(view)) == address(made.__array__())
    assert made.__dlpack_device__() == (1, 0)
    assert address(np.array(made)) != address(np.asarray(made))
    assert np.asarray(made, dtype="float64").dtype == np.float64
    with pytest.raises(ValueError):
        made.__array__(dtype=np.float64, copy=False)


def test_what_python_holds_outlives_what_it_came_from(kind):
    make, name, dtype, shape = kind
    expected = values(dtype, shape)
    lent = getattr(make(expected.copy()), name)
    viewed = np.asarray(make(expected.copy()))
    tensor = torch.from_dlpack(make(expected.copy()))
    assert np.array_equal(lent, expected) and np.array_equal(viewed, expected)
    assert np.array_equal(tensor.numpy(), expected)


def test_read_only_stays_read_only(kind):
    make, name, dtype, shape = kind
    source = values(dtype, shape)
    source.flags.writeable = False
    made = make(source)
    assert address(getattr(made, name)) == address(source)
    assert not getattr(made, name).flags.writeable and memoryview(made).readonly
    assert make(values(dtype, shape)).copy().__array__().flags.writeable


def test_other_layouts_are_copied(kind):
    make, name, dtype, shape = kind
    wide = values(dtype, (*shape[:-1], 2 * shape[-1]))
    for source in (wide[..., ::2], np.asfortranarray(values(dtype, shape)), values(dtype, shape).astype("int64")):
        made = make(source)
        assert np.array_equal(getattr(made, name), source)
        assert not np.shares_memory(getattr(made, name), source)


@pytest.mark.parametrize("bad", [np.zeros(SHAPE[1:]), np.zeros((2, 2, *SHAPE, 1))])
def test_wrong_axes(kind, bad):
    make, _, dtype, _ = kind
    with pytest.raises(ichdet.ShapeError, match="axes") as raised:
        make(bad.astype(dtype))
    assert raised.value.code == "shape" and isinstance(raised.value, ValueError)


def test_other_types_of_labels_and_hu():
    for make in (KINDS["LabelMap"][0], KINDS["SliceLabels"][0]):
        mask = np.ones(SHAPE, bool)
        assert address(make(mask).labels) == address(mask)
        for bad in (np.full(SHAPE, 256), np.full(SHAPE, -1), np.full(SHAPE, 1.0)):
            with pytest.raises(ichdet.ShapeError, match="whole numbers from 0 to 255"):
                make(bad)
    for bad in (np.zeros(SHAPE, complex), np.full(SHAPE, "a")):
        with pytest.raises(TypeError):
            ichdet.Volume(bad, GRID)
    with pytest.raises(ichdet.ShapeError, match="requires_grad=True"):
        ichdet.Volume(torch.zeros(SHAPE, requires_grad=True), GRID)


def test_masks_of_any_number():
    mask = np.zeros((1, 3, 3))
    mask[0, 1, 1] = 0.25
    for given in (mask, mask > 0, (mask > 0).astype("int16") * 256):
        assert ichdet.dilate(given, 1, (1, 1, 1)).sum() == 5


def test_functions_read_volumes_and_tensors():
    volume = ichdet.Volume(values("float32", SHAPE), GRID)
    brain = ichdet.Window(0, 80)
    expected = ichdet.window(volume.hu, brain)
    assert np.array_equal(ichdet.window(volume, brain), expected)
    assert np.array_equal(ichdet.window(torch.from_dlpack(volume), brain), expected)


@pytest.mark.parametrize("again", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x)), lambda x: x.copy()])
def test_copies_are_equal_and_their_own(kind, again):
    make, name, dtype, shape = kind
    made = make(values(dtype, shape))
    other = again(made)
    assert np.array_equal(getattr(other, name), getattr(made, name))
    assert not np.shares_memory(getattr(other, name), getattr(made, name))
    assert other.geometry == made.geometry
    assert repr(other) == repr(made)


def test_equality():
    a = ichdet.Volume(values("float32", SHAPE), GRID)
    assert a == a.copy() and a != ichdet.Volume(a.hu + 1, GRID)
    assert a != ichdet.Volume(a.hu, ichdet.Geometry.aligned((5, 4, 3), (0.5, 0.5, 4)))
    assert a != 3
    labels = ichdet.LabelMap(np.zeros(SHAPE, "uint8"), NAMES, GRID)
    assert labels == labels.copy() and labels != ichdet.LabelMap(labels.labels, ["background", "IPH"], GRID)
    assert SLICES == ichdet.SliceGeometry(GRID) and SLICES.planes[0] == copy.copy(SLICES.planes[0])


def test_stack_keeps_padding_identity_and_assumptions():
    padding = np.zeros(SHAPE, "uint8")
    padding[0] = 1
    stack = ichdet.SliceStack(
        SLICES, np.zeros(SHAPE, "float32"), padding,
        identity=ichdet.SeriesIdentity(patient_id="p"), assumptions=["the table is down"],
    )
    assert address(stack.padding) == address(padding)
    other = pickle.loads(pickle.dumps(stack))
    assert np.array_equal(other.padding, padding) and other.identity.patient_id == "p"
    assert other.assumptions == ["the table is down"]
    assert ichdet.SliceStack(SLICES, np.zeros(SHAPE, "float32")).padding is None


def test_errors_are_of_their_kind():
    with pytest.raises(ichdet.GeometryError) as raised:
        ichdet.Geometry.aligned((1, 1, 0), (1, 1, 1))
    assert raised.value.code == "geometry" and isinstance(raised.value, (ichdet.Error, ValueError))
    with pytest.raises(OSError) as raised:
        ichdet.read_nifti("nowhere.nii")
    assert type(raised.value) is ichdet.IoError and raised.value.code == "io"
    again = pickle.loads(pickle.dumps(raised.value))
    assert type(again) is ichdet.IoError and str(again) == str(raised.value)
