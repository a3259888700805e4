"""ichdet.interop, both ways, with each peer's own indexing and resampling as the judge."""

import ichdet
import numpy as np
import pytest
from ichdet import interop

nib = pytest.importorskip("nibabel")
sitk = pytest.importorskip("SimpleITK")
pydicom = pytest.importorskip("pydicom")
xr = pytest.importorskip("xarray")
torch = pytest.importorskip("torch")
MetaTensor = pytest.importorskip("monai.data").MetaTensor

SIZE = (7, 6, 5)  # x, y, z
FRAME = "1.2.840.99.7"
NAMES = ["background", "blood, old", "oedema"]
INDICES = [(0, 0, 0), (6, 0, 0), (0, 5, 0), (0, 0, 4), (3, 2, 1), (6, 5, 4)]
FLIP = np.array([-1, -1, 1])


def affine(kind):
    turn, _ = np.linalg.qr([[1, 0.2, -0.1], [-0.2, 0.9, 0.3], [0.1, -0.2, 1]])
    linear = {
        "aligned": np.diag([0.5, 0.6, 4.0]),
        "backwards": np.diag([-0.5, 0.6, -4.0]),
        "permuted": np.array([[0, 0, 4.0], [0.5, 0, 0], [0, -0.6, 0]]),
        "oblique": turn * [0.5, 0.6, 4.0],
        "sheared": np.diag([0.5, 0.6, 4.0]) + [[0, 0, 0], [0, 0, 1.3], [0, 0, 0]],
    }[kind]
    full = np.eye(4)
    full[:3, :3], full[:3, 3] = linear, [-20.5, 13.25, 107.0]
    return full


@pytest.fixture(params=["aligned", "backwards", "permuted", "oblique", "sheared"])
def grid(request):
    return ichdet.Geometry(SIZE, affine(request.param), FRAME)


@pytest.fixture
def volume(grid):
    return ichdet.Volume(np.random.default_rng(1).normal(30, 20, SIZE[::-1]).astype(np.float32), grid)


@pytest.fixture
def labels(grid):
    return ichdet.LabelMap(np.random.default_rng(2).integers(0, 3, SIZE[::-1]).astype(np.uint8), NAMES, grid)


@pytest.fixture
def probabilities(grid):
    values = np.random.default_rng(3).dirichlet([1, 1, 1], SIZE[::-1])
    return ichdet.ProbabilityMap(np.ascontiguousarray(np.moveaxis(values, -1, 0), np.float32), NAMES, grid)


def at(geometry, index):
    return (geometry.affine @ [*index, 1])[:3]


def values_of(thing):
    return next(getattr(thing, name) for name in ("hu", "labels", "values") if hasattr(thing, name))


def same(found, wanted, exact=True):
    assert type(found) is type(wanted)
    assert values_of(found).dtype == values_of(wanted).dtype
    np.testing.assert_array_equal(values_of(found), values_of(wanted))
    np.testing.assert_allclose(found.geometry.affine, wanted.geometry.affine, atol=1e-12 if exact else 1e-5)
    assert found.geometry.frame_of_reference_uid == wanted.geometry.frame_of_reference_uid == FRAME
    for names in ("names", "classes"):
        assert getattr(found, names, None) == getattr(wanted, names, None)


def address(array):
    return array.__array_interface__["data"][0]


@pytest.mark.parametrize("peer", ["simpleitk", "nibabel", "monai", "xarray"])
def test_there_and_back_nothing_is_lost(peer, volume, labels, probabilities):
    there, back = getattr(interop, f"to_{peer}"), getattr(interop, f"from_{peer}")
    for thing in (volume, labels, probabilities):
        same(back(there(thing)), thing)
    renamed = back(there(labels), names=["nothing", "a", "b"])
    assert renamed.names == ["nothing", "a", "b"]
    assert isinstance(back(there(labels), "volume"), ichdet.Volume)


def test_simpleitk_finds_each_voxel_where_ichdet_has_it(volume, labels):
    image, label_image = interop.to_simpleitk(volume), interop.to_simpleitk(labels)
    for x, y, z in INDICES:
        np.testing.assert_allclose(image.TransformIndexToPhysicalPoint((x, y, z)), at(volume.geometry, (x, y, z)),
                                   atol=1e-9)
        assert image[x, y, z] == volume.hu[z, y, x] and label_image[x, y, z] == labels.labels[z, y, x]
        assert image.TransformPhysicalPointToIndex(at(volume.geometry, (x, y, z))) == (x, y, z)


def test_simpleitk_resamples_to_what_ichdet_does(volume):
    centre = at(volume.geometry, (3, 2.5, 2))
    target = ichdet.Geometry.aligned((9, 8, 7), (0.4, 0.4, 0.4), centre - 1.4)
    reference = interop.to_simpleitk(ichdet.Volume(np.zeros((7, 8, 9)), target))
    judge = sitk.Resample(interop.to_simpleitk(volume), reference, sitk.Transform(), sitk.sitkLinear, -1024.0)
    found = ichdet.resample_to(volume, target)
    np.testing.assert_allclose(found.hu, sitk.GetArrayFromImage(judge), atol=2e-3)
    assert (found.hu > -1024).sum() > 100


def test_a_simpleitk_image_is_shared_until_it_writes(volume):
    image = interop.to_simpleitk(volume)
    before = address(sitk.GetArrayViewFromImage(image))
    found = interop.from_simpleitk(image)
    assert address(found.hu) == before
    image[0, 0, 0] = 4321.0
    assert image[0, 0, 0] == 4321 and found.hu[0, 0, 0] == volume.hu[0, 0, 0]
    del image
    np.testing.assert_array_equal(found.hu, volume.hu)


def test_simpleitk_pixels_of_other_types_are_converted():
    image = sitk.GetImageFromArray(np.arange(24, dtype=np.int16).reshape(2, 3, 4) - 5)
    assert interop.from_simpleitk(image).hu.tolist() == sitk.GetArrayFromImage(image).tolist()
    with pytest.raises(ichdet.Error, match="labels, whole numbers from 0 to 255, found -5") as raised:
        interop.from_simpleitk(image, "labels")
    assert raised.value.code == "shape"
    assert interop.from_simpleitk(image + 5, "labels").names[-1] == "label 23"
    for wrong in (sitk.Image([4, 3], sitk.sitkFloat32), sitk.Image([4, 3, 2, 2], sitk.sitkFloat32),
                  sitk.Image([4, 3, 2], sitk.sitkVectorFloat32, 3), sitk.Image([4, 3, 2], sitk.sitkComplexFloat32)):
        with pytest.raises(ichdet.Error, match="expected") as raised:
            interop.from_simpleitk(wrong)
        assert raised.value.code == "shape"


def test_nibabel_finds_each_voxel_where_ichdet_has_it(volume):
    image = interop.to_nibabel(volume)
    for x, y, z in INDICES:
        place = nib.affines.apply_affine(image.affine, (x, y, z))
        np.testing.assert_allclose(place, FLIP * at(volume.geometry, (x, y, z)))
        assert image.dataobj[x, y, z] == volume.hu[z, y, x]
    canonical = nib.as_closest_canonical(image)  # nibabel's own flips and permutations
    turned = interop.from_nibabel(canonical)
    for x, y, z in INDICES:
        if max(np.array((x, y, z)) - turned.geometry.size) >= 0:
            continue
        index = np.linalg.inv(volume.geometry.affine) @ [*at(turned.geometry, (x, y, z)), 1]
        i, j, k = np.rint(index[:3]).astype(int)
        np.testing.assert_allclose(index[:3], (i, j, k), atol=1e-9)
        assert turned.hu[z, y, x] == volume.hu[k, j, i]


def test_nibabel_shares_voxels_both_ways(volume, labels, probabilities):
    for thing in (volume, labels, probabilities):
        image = interop.to_nibabel(thing)
        assert address(np.asanyarray(image.dataobj)) == address(values_of(thing))
        assert address(values_of(interop.from_nibabel(image))) == address(values_of(thing))


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_files_mean_the_same_to_nibabel_and_ichdet(volume, labels, tmp_path, suffix):
    for thing, read in ((volume, lambda p: ichdet.read_nifti(p)[0]), (labels, ichdet.read_nifti_labels)):
        path = tmp_path / f"a{suffix}"
        nib.save(interop.to_nibabel(thing), path)
        theirs, ours = interop.from_nibabel(nib.load(path)), read(path)
        same(theirs, thing, exact=False)
        np.testing.assert_array_equal(values_of(ours), values_of(thing))
        np.testing.assert_allclose(ours.geometry.affine, theirs.geometry.affine, atol=1e-12)
        ichdet.write_nifti(path, thing)
        again = interop.from_nibabel(nib.load(path))
        np.testing.assert_array_equal(values_of(again), values_of(thing))
        assert getattr(again, "names", None) == getattr(thing, "names", None)


def test_what_nibabel_scales_equals_ichdets_reading(tmp_path):
    image = nib.Nifti1Image(np.arange(24, dtype=np.int16).reshape(4, 3, 2), np.diag([-1, -1, 2, 1]))
    image.header.set_slope_inter(0.1, -100)
    nib.save(image, tmp_path / "scaled.nii.gz")
    found = interop.from_nibabel(nib.load(tmp_path / "scaled.nii.gz"))
    np.testing.assert_array_equal(found.hu, ichdet.read_nifti(tmp_path / "scaled.nii.gz")[0].hu)


def test_nibabel_images_that_are_no_volume_are_refused():
    series = nib.Nifti1Image(np.zeros((4, 3, 2, 5), np.float32), np.eye(4))
    with pytest.raises(ichdet.Error, match=r"found float32 of shape \(5, 2, 3, 4\)"):
        interop.from_nibabel(series)
    assert interop.from_nibabel(nib.Nifti1Image(np.zeros((4, 3, 2, 1), np.float32), np.eye(4))).hu.shape == (2, 3, 4)
    colour = nib.Nifti1Image(np.zeros((4, 3, 2), [("R", "u1"), ("G", "u1"), ("B", "u1")]), np.eye(4))
    with pytest.raises(ichdet.Error, match="real numbers"):
        interop.from_nibabel(colour)
    metres = nib.Nifti1Image(np.zeros((4, 3, 2), np.float32), np.eye(4))
    metres.header.set_xyzt_units("meter")
    with pytest.raises(ichdet.Error, match="expected mm, found meter"):
        interop.from_nibabel(metres)
    flat = nib.MGHImage(np.zeros((4, 3, 2), np.float32), None)
    flat._affine = np.diag([1, 1, 0, 1])
    with pytest.raises(ichdet.Error, match="affine"):
        interop.from_nibabel(flat)


def test_monai_finds_each_voxel_where_ichdet_has_it(volume, labels, probabilities, tmp_path):
    tensor = interop.to_monai(volume)
    assert tensor.shape == (1, *SIZE)
    for x, y, z in INDICES:
        np.testing.assert_allclose((tensor.affine.numpy() @ [x, y, z, 1])[:3], FLIP * at(volume.geometry, (x, y, z)))
        assert tensor[0, x, y, z] == volume.hu[z, y, x]
    for thing in (volume, labels, probabilities):
        tensor = interop.to_monai(thing)
        assert tensor.data_ptr() == address(values_of(thing)) == address(values_of(interop.from_monai(tensor)))
    from monai.transforms import LoadImage

    nib.save(interop.to_nibabel(volume), tmp_path / "a.nii")
    loaded = LoadImage(ensure_channel_first=True)(tmp_path / "a.nii")
    mine = interop.to_monai(volume)
    assert torch.equal(loaded.as_tensor(), mine.as_tensor())
    np.testing.assert_allclose(loaded.affine, mine.affine, atol=1e-5)


def test_monais_transforms_move_the_geometry(volume):
    from monai.transforms import Flip, Orientation, Spacing

    tensor = interop.to_monai(volume)
    turned = interop.from_monai(Orientation("PLS", labels=(("L", "R"), ("P", "A"), ("I", "S")))(tensor))
    assert turned.hu.sum() == pytest.approx(volume.hu.sum(), rel=1e-6)
    flipped = interop.from_monai(Flip(0)(tensor))
    for moved in (turned, flipped):
        x, y, z = np.array(moved.geometry.size) - 1
        i, j, k = np.rint((np.linalg.inv(volume.geometry.affine) @ [*at(moved.geometry, (x, 0, z)), 1])[:3]).astype(int)
        assert moved.hu[z, 0, x] == volume.hu[k, j, i]
    spaced = interop.from_monai(Spacing((1.0, 1.2, 8.0), mode="nearest")(tensor))
    np.testing.assert_allclose(spaced.geometry.spacing_mm, (1.0, 1.2, 8.0), atol=1e-5)


def test_monai_tensors_of_other_kinds(volume):
    plain = torch.from_numpy(volume.hu.copy()).permute(2, 1, 0).contiguous()  # torch's own layout: copied
    ras = np.diag([-1, -1, 1, 1]) @ volume.geometry.affine
    np.testing.assert_array_equal(interop.from_monai(MetaTensor(plain, affine=ras)).hu, volume.hu)
    half = interop.from_monai(MetaTensor(plain[None].bfloat16(), affine=ras))
    np.testing.assert_array_equal(half.hu, torch.from_numpy(volume.hu).bfloat16().float().numpy())
    lps = interop.from_monai(MetaTensor(plain, affine=volume.geometry.affine, meta={"space": "LPS"}))
    np.testing.assert_allclose(lps.geometry.affine, volume.geometry.affine)
    with pytest.raises(ichdet.Error, match="real numbers"):
        interop.from_monai(MetaTensor(torch.zeros(2, 4, 3, 2)))
    with pytest.raises(TypeError, match="MetaTensor"):
        interop.from_monai(torch.zeros(4, 3, 2))
    with pytest.raises(ichdet.Error, match="expected RAS or LPS"):
        interop.from_monai(MetaTensor(plain, meta={"space": "XYZ"}))


def test_xarray_keeps_places_through_its_own_indexing(volume, probabilities):
    array = interop.to_xarray(volume)
    assert address(array.values) == address(volume.hu) == address(interop.from_xarray(array).hu)
    assert address(interop.to_xarray(probabilities).values) == address(probabilities.values)
    part = interop.from_xarray(array.isel(x=slice(5, None, -2), z=slice(1, 2)).transpose("x", "z", "y"))
    assert part.hu.shape == (1, 6, 3)
    for x, y in ((0, 0), (2, 5), (1, 3)):
        np.testing.assert_allclose(at(part.geometry, (x, y, 0)), at(volume.geometry, (5 - 2 * x, y, 1)), atol=1e-9)
        assert part.hu[0, y, x] == volume.hu[1, y, 5 - 2 * x]
    one = interop.from_xarray(interop.to_xarray(probabilities).sel({"class": NAMES[1]}))
    np.testing.assert_array_equal(one.hu, probabilities.values[1])


def test_xarrays_coordinates_are_lps_where_they_can_be():
    grid = ichdet.Geometry(SIZE, affine("backwards"))
    array = interop.to_xarray(ichdet.Volume(np.zeros(SIZE[::-1]), grid))
    assert array.sel(x=-23.5, y=13.25, z=91.0).x.item() == at(grid, (6, 0, 0))[0]
    with pytest.raises(ichdet.Error, match="even steps"):
        interop.from_xarray(array.isel(y=[0, 1, 3]))
    with pytest.raises(ichdet.Error, match="coordinates of z"):
        interop.from_xarray(array.drop_vars("z"))
    with pytest.raises(ichdet.Error, match="dimensions z, y, x, found"):
        interop.from_xarray(array.isel(z=0))


def test_a_tilted_stack_keeps_its_shear_and_an_uneven_one_is_refused():
    tilted = ichdet.phantom(rows=32, columns=32, slices=4, tilt_degrees=15, subsamples=1).stack
    image = interop.to_simpleitk(tilted)
    plane = tilted.geometry.planes[3]
    place = plane.position_mm + 4 * plane.along_row * plane.column_spacing_mm
    np.testing.assert_allclose(image.TransformIndexToPhysicalPoint((4, 0, 3)), place, atol=1e-9)
    assert image[4, 7, 3] == tilted.hu[3, 7, 4]
    assert address(np.asanyarray(interop.to_nibabel(tilted).dataobj)) == address(tilted.hu)
    uneven = ichdet.phantom(rows=32, columns=32, offsets_mm=[0, 5, 12], subsamples=1).stack
    for convert in (interop.to_simpleitk, interop.to_nibabel, interop.to_monai, interop.to_xarray):
        with pytest.raises(ichdet.Error, match="5.000 to 7.000 mm; resample first") as raised:
            convert(uneven)
        assert raised.value.code == "geometry"


def stack_equal(a, b):
    np.testing.assert_array_equal(a.hu, b.hu)
    np.testing.assert_array_equal(a.padding, b.padding)
    assert a.geometry.frame_of_reference_uid == b.geometry.frame_of_reference_uid
    for mine, theirs in zip(a.geometry.planes, b.geometry.planes, strict=True):
        for name in ("position_mm", "along_row", "along_column"):
            np.testing.assert_array_equal(getattr(mine, name), getattr(theirs, name))
        for name in ("column_spacing_mm", "row_spacing_mm", "thickness_mm", "sop_instance_uid"):
            assert getattr(mine, name) == getattr(theirs, name)


@pytest.mark.parametrize("name", ["head_ct_ge_tilt", "ich_slices", "rsna_plain"])
def test_datasets_are_read_as_their_files_are(name, real_data):
    files = sorted(real_data(name).glob("*.dcm"))
    for group in [files] if name == "head_ct_ge_tilt" else [[f] for f in files[:12]]:
        from_files = ichdet.read_dicom(group, allow_gaps=True)
        stack = interop.from_pydicom([pydicom.dcmread(f) for f in reversed(group)], allow_gaps=True)
        stack_equal(stack, from_files)
        assert stack.identity.series_instance_uid == from_files.identity.series_instance_uid


def test_real_slices_stay_where_pydicom_and_simpleitk_have_them(real_data):
    files = sorted(real_data("head_ct_ge_tilt").glob("*.dcm"))
    stack = interop.from_pydicom([pydicom.dcmread(f) for f in files], allow_gaps=True)
    planes = {plane.sop_instance_uid: i for i, plane in enumerate(stack.geometry.planes)}
    for file in files:
        dataset, image = pydicom.dcmread(file), sitk.ReadImage(file)
        i = planes[str(dataset.SOPInstanceUID)]
        np.testing.assert_array_equal(stack.hu[i], sitk.GetArrayFromImage(image)[0])
        one = interop.from_simpleitk(image)
        assert one.geometry.frame_of_reference_uid == dataset.FrameOfReferenceUID
        plane = stack.geometry.planes[i]
        corner = plane.position_mm + 20 * plane.along_column * plane.row_spacing_mm
        np.testing.assert_allclose(at(one.geometry, (0, 20, 0)), corner, atol=1e-6)


def test_a_stack_becomes_datasets_that_pydicom_writes_and_reads(tmp_path):
    from pydicom.pixels import apply_rescale

    stack = ichdet.phantom(rows=48, columns=40, offsets_mm=[0, 4, 11], tilt_degrees=12, padding_hu=-1500,
                           subsamples=1).stack
    datasets = interop.to_pydicom(stack)
    for i, dataset in enumerate(datasets):
        hu = apply_rescale(dataset.pixel_array, dataset)
        inside = stack.padding[i] == 0
        np.testing.assert_array_equal(hu[inside], stack.hu[i][inside])
        np.testing.assert_allclose(dataset.ImagePositionPatient, stack.geometry.planes[i].position_mm, atol=1e-9)
        dataset.save_as(tmp_path / f"{i}.dcm")
    back = interop.from_pydicom(datasets, allow_gaps=True)
    stack_equal(back, ichdet.read_dicom(tmp_path, allow_gaps=True))
    np.testing.assert_array_equal(back.hu[stack.padding == 0], stack.hu[stack.padding == 0])


def test_datasets_made_in_memory_and_wrong_ones():
    datasets = interop.to_pydicom(ichdet.phantom(rows=32, columns=32, slices=3, subsamples=1).stack)
    bare = []
    for dataset in datasets:
        bare.append(pydicom.Dataset())
        bare[-1].update(dataset)
    assert not hasattr(bare[0], "file_meta")
    np.testing.assert_array_equal(interop.from_pydicom(bare).hu, interop.from_pydicom(datasets).hu)
    del datasets[1].PixelSpacing
    with pytest.raises(ichdet.Error, match=r"datasets\[1\]") as raised:
        interop.from_pydicom(datasets[:2])
    assert raised.value.code == "dicom" and "/tmp" not in str(raised.value)
    with pytest.raises(ichdet.Error, match="at least one"):
        interop.from_pydicom([])


def test_a_missing_package_is_named(monkeypatch, labels):
    import sys

    monkeypatch.setitem(sys.modules, "nibabel", None)
    with pytest.raises(ImportError, match=r"interop.to_nibabel needs the Python package nibabel.*pip install nibabel"):
        interop.to_nibabel(labels)
    with pytest.raises(ichdet.Error, match="expected 'volume', 'labels' or 'probabilities', found 'mask'"):
        interop.from_xarray(interop.to_xarray(labels), "mask")
    with pytest.raises(TypeError, match="found numpy.ndarray"):
        interop.to_xarray(np.zeros((2, 2, 2)))
