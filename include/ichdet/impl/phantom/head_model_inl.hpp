#pragma once

#include <string>

#include "ichdet/core/error.hpp"
#include "ichdet/core/parallel.hpp"
#include "ichdet/phantom/anatomy.hpp"
#include "ichdet/phantom/distance.hpp"
#include "ichdet/phantom/head_model.hpp"
#include "ichdet/phantom/target.hpp"

namespace ichdet {

namespace phantom_detail {

using namespace shapes;  // NOLINT: this file is made of them

inline constexpr float table_step_mm = 2;
inline constexpr std::uint64_t stream_shape = 11, stream_cells = 12, stream_diploe = 13, stream_soft = 14;

ICHDET_INLINE Vector3f mirrored(const Vector3f& p) { return {std::abs(p.x()), p.y(), p.z()}; }

/// Lateral, third and fourth ventricle and the aqueduct; `grow` widens the lateral and third ones.
ICHDET_INLINE float ventricle_distance(const Vector3f& p, float grow) {
  const Vector3f q = mirrored(p);
  const float g = grow;
  float d = tube(q, {14, -38, 5}, 3.0F + g, {8.5F, -24, 9}, 5.0F + g);
  d = join(d, tube(q, {8.5F, -24, 9}, 5.0F + g, {6.5F, -10, 15}, 4.6F + g), 2);
  d = join(d, tube(q, {6.3F, -10, 15}, 4.4F + g, {11, 12, 21}, 5.0F + g), 2);
  d = join(d, tube(q, {11, 12, 21}, 5.0F + g, {22, 31, 14}, 6.4F + g), 2);
  d = join(d, tube(q, {22, 31, 14}, 6.4F + g, {22, 47, 9}, 3.6F + g), 2);
  d = join(d, tube(q, {22, 47, 9}, 3.6F + g, {19, 60, 7}, 1.4F + g), 2);
  d = join(d, tube(q, {23, 31, 12}, 5.0F + g, {31, 22, -3}, 2.6F + g), 2);
  d = join(d, tube(q, {31, 22, -3}, 2.4F + g, {30, -6, -20}, 1.6F + g), 2);
  // The caudate's head and the thalamus bulge into them; the septum parts the two.
  d = meet(d, -ellipsoid(q, {16.5F + 1.4F * g, -25, 6}, {5.5F, 9, 10}), 2.5F);
  d = meet(d, -ellipsoid(q, {11, 10, 6}, {9, 15, 10}), 1.5F);
  d = std::max(d, 0.8F - q.x());
  const float foramen = tube(q, {5, -12, 11}, 1.2F, {0, -9, 4}, 1.4F);
  const float third = ellipsoid(q, {0, 4, -3}, {2.0F + 0.8F * g, 15, 10});
  const float aqueduct = tube(q, {0, 20, -9}, 0.9F, {0, 34, -26}, 1.0F);
  const float fourth = meet(ellipsoid(q, {0, 36, -38}, {9, 6, 14}), 0.35F * q.x() + (p.y() - 41), 2);
  return std::min({d, foramen, third, aqueduct, fourth});
}

/// Caudate, lentiform nucleus, thalamus.
ICHDET_INLINE float nuclei_distance(const Vector3f& p) {
  const Vector3f q = mirrored(p);
  const float caudate =
      join(ellipsoid(q, {15.5F, -25, 6}, {5, 9, 9}), tube(q, {14, -20, 13}, 3.5F, {18, 8, 23}, 1.8F), 3);
  constexpr float c = 0.94F, s = 0.34F;  // the lentiform nucleus is turned outwards at the back
  const Vector3f local(c * (q.x() - 24) - s * (q.y() + 9), s * (q.x() - 24) + c * (q.y() + 9), q.z() - 2);
  const float lentiform = ellipsoid(local, Vector3f::Zero(), {6.5F, 15, 9});
  const float thalamus = ellipsoid(q, {11, 9, 5}, {8, 13, 9});
  return std::min({caudate, lentiform, thalamus});
}

/// The brain stem and its peduncles; what surrounds it in the middle of the base is CSF.
ICHDET_INLINE float stem_distance(const Vector3f& p) {
  const Vector3f q = mirrored(p);
  float d = ellipsoid(q, {0, 13, -14}, {13.5F, 11, 11});
  d = join(d, tube(q, {8, 4, -16}, 6.5F, {14, -2, -4}, 8), 3);
  d = join(d, ellipsoid(q, {0, 14, -34}, {15, 13, 15}), 4);
  d = join(d, tube(q, {8, 20, -36}, 9, {24, 36, -38}, 10), 5);
  return join(d, tube(q, {0, 18, -46}, 7.5F, {0, 22, -100}, 6), 5);
}

/// Spaces of CSF wider than a sulcus. `wide` adds to them.
ICHDET_INLINE float cistern_distance(const Vector3f& p, float wide, std::uint64_t seed) {
  const Vector3f q = mirrored(p);
  const float stem = stem_distance(p);
  // Suprasellar: a star of five or six points.
  const float around_sella = std::atan2(p.x(), -(p.y() + 17));
  const float star = 7.2F + wide + 2.4F * std::cos(5 * around_sella);
  float d = ellipsoid(q, {0, -17, -19}, {star, star, 7});                            // suprasellar
  d = join(d, tube(q, {7, -17, -19}, 3.0F + wide, {30, -25, -14}, 1.0F + wide), 3);  // to the Sylvian fissures
  d = join(d, tube(q, {0, -24, -17}, 2.6F + wide, {0, -50, -10}, 0.9F), 3);          // interhemispheric
  d = std::min(d, ellipsoid(q, {0, 27, -7}, {10 + wide, 4.5F + wide, 6}));           // quadrigeminal
  d = std::min(d, ellipsoid(q, {0, 30, 3}, {6 + wide, 8, 4 + wide}));                // above the cerebellum
  const float around = std::max(
      {std::abs(stem - 1.2F) - 0.7F - 0.6F * wide - 2.2F * lattice_noise(seed + 2, p, 14), p.z() + 6, p.y() - 28});
  d = std::min(d, around);                                                         // ambient, prepontine
  d = join(d, tube(q, {18, 6, -37}, 3.0F + wide, {30, 14, -37}, 1.6F + wide), 3);  // cerebellopontine
  d = std::min(d, ellipsoid(q, {0, 68, -56}, {9 + 2 * wide, 10, 10 + 2 * wide}));  // cisterna magna
  d = std::max(d, -stem);
  // Sylvian fissure: a sheet from the insula outwards, and the insula's own.
  const float ripple = lattice_noise(seed, p, 13);
  const float climb = 0.85F * (p.z() + 8 - 0.62F * (p.y() + 26)) + 7 * ripple;
  const float opening = std::max({std::abs(climb) - 1.0F - 1.3F * wide - 1.2F * lattice_noise(seed + 1, p, 9),
                                  34 - q.x(), p.y() - 24, -32 - p.y()});
  const float insula = std::max({std::abs(ellipsoid(q, {20, -8, 3}, {17.5F, 24, 17}) + 4 * ripple) - 0.7F -
                                     0.9F * wide - 1.5F * lattice_noise(seed + 1, p, 9),
                                 28 - q.x(), std::abs(p.z() - 2) - 12});
  return std::min({d, opening, insula});
}

/// Frontal, ethmoid, sphenoid and maxillary sinuses, nose and throat.
ICHDET_INLINE float air_distance(const Vector3f& p, float frontal) {
  const Vector3f q = mirrored(p);
  float d = ellipsoid(q, {9, -89.5F, -9}, {8 + 3 * frontal, 3.6F + frontal, 10 + 3 * frontal});
  d = std::min(d, ellipsoid(q, {6, -62, -31}, {7, 20, 11}));
  d = std::min(d, ellipsoid(q, {7, -30, -38}, {8, 12, 9}));
  d = std::min(d, ellipsoid(q, {31, -66, -68}, {14, 15, 16}));
  d = std::min(d, ellipsoid(q, {7, -62, -66}, {6, 30, 22}));
  return std::min(d, ellipsoid(q, {0, -20, -84}, {13, 9, 24}));
}

ICHDET_INLINE float petrous_distance(const Vector3f& p) {
  const Vector3f q = mirrored(p);
  return join(tube(q, {16, -2, -40}, 6, {44, 20, -38}, 9), ellipsoid(q, {58, 26, -44}, {12, 17, 20}), 6);
}

}  // namespace phantom_detail

ICHDET_INLINE HeadShape HeadShape::draw(std::uint64_t seed, double atrophy) {
  if (!(atrophy <= 1)) throw Error::mismatch(ErrorCode::options, "atrophy", "at most 1", std::to_string(atrophy));
  const auto draw = [&](std::uint64_t i) { return float(counter_uniform(seed, phantom_detail::stream_shape, i)); };
  HeadShape shape;
  shape.seed = seed;
  shape.atrophy = atrophy >= 0 ? float(atrophy) : 0.2F + 0.5F * draw(0);
  shape.ventricle_growth_mm = -0.6F + 2.2F * shape.atrophy + 0.8F * (draw(1) - 0.5F);
  shape.skull_mm = 5.8F + 1.6F * draw(2);
  shape.scalp_mm = 4.5F + 2.0F * draw(3);
  shape.scale = Eigen::Vector3f(0.97F + 0.06F * draw(4), 0.96F + 0.06F * draw(5), 0.97F + 0.05F * draw(6));
  return shape;
}

ICHDET_INLINE double tentorium_height_mm(double x, double y) noexcept {
  const double dy = (y - 30) / 34;
  return -39 + 41 * std::exp(-0.85 * std::sqrt(x * x / (27 * 27) + dy * dy + 0.04));
}

ICHDET_INLINE float HeadModel::cavity_distance(const Eigen::Vector3f& p) const {
  using namespace phantom_detail;
  const Vector3f q = mirrored(p);
  const float width = 68 * (1 - 0.13F * ramp(-p.y(), -10, 80)) * (1 - 0.05F * ramp(p.y(), 40, 84));
  const float height = p.z() > 0 ? 74 : 42;
  float vault = superellipsoid(p, {width, 83, height}, 2.35F);
  // The floor of the anterior fossa with its orbital roofs, stepping down behind the sphenoid ridge.
  const float roofs = 7 * std::exp(-((q.x() - 29) * (q.x() - 29) + (p.y() + 58) * (p.y() + 58)) / 420);
  const float cribriform = -5 * std::exp(-q.x() * q.x() / 60);
  const float ridge = -37 + 0.12F * q.x();
  const float floor = mix(-15 + roofs + cribriform - 0.3F * (p.y() + 58), -62, ramp(p.y(), ridge - 7, ridge + 7));
  vault = meet(vault, floor - p.z(), 5);
  vault = meet(vault, -25 - 12 * ramp(q.x(), 12, 24) - 30 * ramp(p.y(), -8, 6) - p.z(), 4);
  const float middle = ellipsoid(q, {39, -12, -19}, {24, 31, 23});
  const float posterior = meet(ellipsoid(q, {0, 38, -33}, {53, 43, 34}), -1 - p.y() - 0.25F * (p.z() + 20), 8);
  float d = join(join(vault, middle, 5), posterior, 7);
  d = std::max(d, -petrous_distance(p));
  const float clivus = tube(q, {0, -14, -34}, 7, {0, 1, -56}, 6);
  d = std::max(d, -clivus);
  d = join(d, ellipsoid(q, {0, -18, -27}, {7, 5.5F, 6}), 2);      // the pituitary's fossa
  d = join(d, tube(q, {11, -26, -27}, 5, {14, -10, -28}, 6), 3);  // beside it, the cavernous sinus
  d = join(d, tube(q, {0, 26, -58}, 15, {0, 24, -120}, 10), 6);
  // Slow unevenness of the bone, asymmetric.
  return d + 1.6F * lattice_noise(shape_.seed * 8 + 1, p, 45) + 0.7F * lattice_noise(shape_.seed * 8 + 2, p, 17);
}

ICHDET_INLINE HeadModel::Fields HeadModel::compute(const Eigen::Vector3f& p) const {
  using namespace phantom_detail;
  const Vector3f q = mirrored(p);
  const std::uint64_t s = shape_.seed * 8;
  // Brain structures are bent a little, differently in each person and on each side.
  const Vector3f bent =
      p + 2.2F * Vector3f(lattice_noise(s + 3, p, 40), lattice_noise(s + 4, p, 40), lattice_noise(s + 5, p, 40));
  Fields f = Fields::Zero();
  f[cavity] = cavity_distance(p);
  f[slow] = lattice_noise(s + 6, p, 11);

  const float crown = ramp(p.z(), -10, 15);
  float bone = shape_.skull_mm + 1.4F * lattice_noise(s + 7, p, 30);
  bone += 1.8F * ramp(p.y(), 60, 80) * ramp(p.z(), -30, 0) + 1.2F * ramp(-p.y(), 60, 80);
  const float temple = std::exp(-((p.y() + 15) * (p.y() + 15) / 900 + (p.z() + 12) * (p.z() + 12) / 400));
  bone -= 3.2F * temple * ramp(q.x(), 40, 60);
  bone = mix(std::min(bone, 4.5F), bone, std::max(crown, ramp(p.y(), 30, 60)));
  bone = mix(bone, 2.2F, ramp(-p.y(), 30, 45) * ramp(-p.z(), -2, 6) * ramp(85 + p.y(), 4, 14));
  f[bone_mm] = std::max(bone, 2.0F);

  const float scalp = shape_.scalp_mm + 1.0F * f[slow] + 7 * temple * ramp(q.x(), 40, 60) +
                      5 * ramp(-p.z(), 0, 40) * ramp(p.y(), 40, 70);
  float outline = f[cavity] - f[bone_mm] - scalp;
  outline = join(outline, ellipsoid(q, {0, -30, -62}, {64, 72, 74}), 14);
  outline = join(outline, tube(q, {0, 22, -70}, 58, {0, 24, -140}, 58), 14);
  outline = join(outline, ellipsoid(q, {0, -108, -62}, {13, 17, 20}), 8);
  outline =
      std::min(outline, std::max(ellipsoid(q, {80, 18, -36}, {9, 16, 28}), -ellipsoid(q, {84, 14, -36}, {6, 11, 21})));
  f[skin] = outline;
  if (outline > 3 * table_step_mm) return f;  // air: nothing else is looked at

  f[air] = air_distance(p, 1.5F * lattice_noise(s + 7, Vector3f(500, 500, 500), 40) + 0.5F) + 1.5F * f[slow];
  f[petrous] = petrous_distance(p);
  f[orbit] = std::max(ellipsoid(q, {32, -70, -31}, {19, 27, 17}), tube(q, {33, -88, -31}, 19, {17, -42, -27}, 6));
  const float zygoma =
      std::min(tube(q, {45, -78, -46}, 5, {66, -50, -50}, 3), tube(q, {66, -50, -50}, 2.5F, {70, -6, -48}, 3));
  const float jaw = std::min(tube(q, {56, -2, -50}, 5, {52, -12, -110}, 5), ellipsoid(q, {17, -30, -62}, {3, 12, 20}));
  f[face] =
      std::min({zygoma, jaw, ellipsoid(q, {0, -22, -42}, {20, 20, 14}), tube(q, {0, -14, -36}, 8, {0, 2, -60}, 7)});

  f[sheet] = bent.x();
  f[ventricles] = ventricle_distance(bent, shape_.ventricle_growth_mm) + 0.5F * f[slow];
  f[nuclei] = nuclei_distance(bent) + 0.8F * f[slow];
  f[cisterns] = cistern_distance(bent, 1.2F * (shape_.atrophy - 0.3F), s * 4 + 1) + 0.5F * f[slow];

  if (f[cavity] < 4) {
    // Sulci run inwards from the surface: the pattern is that of the point's direction, little changed by its depth.
    const Vector3f stretched = p.cwiseQuotient(Vector3f(67, 83, 74));
    const Vector3f on_surface = stretched.normalized().cwiseProduct(Vector3f(67, 83, 74));
    const Vector3f place = on_surface + 0.28F * (p - on_surface) + (p.x() < 0 ? Vector3f(0, 0, 400) : Vector3f::Zero());
    Vector3f slope;
    const float value = gyri_(place, &slope);
    f[sulcus] = std::clamp(value / std::max(slope.norm(), 0.12F), -12.0F, 12.0F);
    f[sulcus] += 1.1F * gyri_bend_(p);
    Vector3f folds(p.x() * 0.45F, p.y(), p.z());
    folds += 2 * Vector3f(f[slow], -f[slow], f[slow]);
    const float fold = folia_(folds, &slope);
    f[folia] = std::clamp(fold / std::max(slope.norm(), 0.3F), -4.0F, 4.0F);
  }
  return f;
}

ICHDET_INLINE HeadModel::HeadModel(const HeadShape& shape, int threads)
    : shape_(shape),
      gyri_(shape.seed * 16 + 1, 40, 22, 0.25F),
      gyri_bend_(shape.seed * 16 + 2, 16, 12),
      folia_(shape.seed * 16 + 3, 24, 10),
      size_{101, 130, 118},
      origin_(-100, -132, -122) {
  table_.resize(std::size_t(size_[0]) * std::size_t(size_[1]) * std::size_t(size_[2]));
  parallel_for(size_[2], threads, [&](std::int64_t z) {
    auto* out = table_.data() + std::size_t(z) * std::size_t(size_[0]) * std::size_t(size_[1]);
    for (int y = 0; y < size_[1]; ++y) {
      for (int x = 0; x < size_[0]; ++x) {
        *out++ = compute(origin_ + phantom_detail::table_step_mm * Eigen::Vector3f(float(x), float(y), float(z)));
      }
    }
  });
}

ICHDET_INLINE HeadModel::Fields HeadModel::interpolate(const Eigen::Vector3f& p) const {
  Eigen::Array3f index = (p - origin_).array() / phantom_detail::table_step_mm;
  const Eigen::Array3f last(float(size_[0] - 2), float(size_[1] - 2), float(size_[2] - 2));
  index = index.max(0).min(last + 0.999F);
  const Eigen::Array3i cell = index.cast<int>();
  const Eigen::Array3f t = index - cell.cast<float>();
  const auto* at = table_.data() +
                   (std::size_t(cell[2]) * std::size_t(size_[1]) + std::size_t(cell[1])) * std::size_t(size_[0]) +
                   std::size_t(cell[0]);
  const auto row = std::size_t(size_[0]);
  const auto plane = row * std::size_t(size_[1]);
  const auto line = [&](const Fields* a) -> Fields { return a[0] + (a[1] - a[0]) * t[0]; };
  const auto face_at = [&](const Fields* a) -> Fields {
    const Fields first = line(a);
    return first + (line(a + row) - first) * t[1];
  };
  const Fields first = face_at(at);
  return first + (face_at(at + plane) - first) * t[2];
}

ICHDET_INLINE float HeadModel::midline_mm(const Eigen::Vector3f& point_mm) const {
  return interpolate(point_mm)[sheet];
}

/// Everything outside the cranial cavity.
ICHDET_INLINE float HeadModel::outside_hu(const Eigen::Vector3f& p, const Fields& f) const {
  using namespace phantom_detail;
  const Vector3f q = mirrored(p);
  const float below_skin = -f[skin];
  const float outside_bone = f[cavity] - f[bone_mm];
  const float grain = lattice_noise(shape_.seed * 8 + stream_soft, p, 7);

  // Scalp: skin, fat, galea; muscle over the temples and in the neck.
  float hu = mix(-95 + 12 * grain, 35, inside(outside_bone - 0.9F, 0.8F));
  const float temporal = std::max({62 - 3 - q.x() - 0.02F * p.z() * p.z(),
                                   std::abs(p.y() + 16) - 30 + 0.012F * p.z() * p.z(), std::abs(p.z() + 18) - 38});
  const bool vault = p.z() > -12 || outside_bone < 2;
  float muscle = temporal;
  if (!vault) {
    const float neck = std::max(-(p.y() - 30), p.z() + 28);
    const float deep = std::max(p.z() + 34, 5 - below_skin);
    const float planes = std::abs(lattice_noise(shape_.seed * 8 + stream_soft + 1, p, 17));
    muscle = std::max(std::min({muscle, neck, deep}), 1.5F - 16 * planes);
  }
  muscle = std::max(muscle + 2.5F * grain, 3.4F - below_skin);
  hu = mix(hu, 55 + 6 * grain, inside(muscle, 4.0F));

  // Orbit: fat, globe with lens, muscles, nerve.
  if (f[orbit] < 2.5F) {
    hu = mix(hu, 900, inside(std::abs(f[orbit] - 0.9F) - 0.9F));
    hu = mix(hu, -90, inside(f[orbit]));
    const float rim = std::min(
        {tube(q, {20, -78, -31}, 1.7F, {12, -45, -28}, 1.6F), tube(q, {45, -78, -31}, 1.7F, {17, -46, -28}, 1.6F),
         tube(q, {32, -76, -18}, 1.8F, {15, -45, -25}, 1.6F), tube(q, {32, -76, -44}, 1.8F, {15, -45, -30}, 1.6F)});
    const float nerve = tube(q, {31, -71, -31}, 2.2F, {12, -42, -27}, 2.0F);
    hu = mix(hu, 45, inside(std::max(std::min(rim, nerve), f[orbit])));
  }
  const float globe = (q - Vector3f(33, -83, -31)).norm() - 11.8F;
  if (globe < 1) {
    hu = mix(hu, 55, inside(globe));
    hu = mix(hu, 14, inside(globe + 1.5F));
    hu = mix(hu, 70, inside(ellipsoid(q, {33, -91.5F, -31}, {4.5F, 2, 4.5F})));
  }

  // Bone: face, skull base, vault with its two tables around the diploe.
  hu = mix(hu, 750, inside(f[face]));
  hu = mix(hu, 950 + 150 * grain, inside(f[petrous]));
  const float depth = std::min(f[cavity], -outside_bone);
  const float spongy = inside(1.9F - depth, 1.2F) * ramp(f[bone_mm], 3.5F, 5.5F);
  const float diploe = 620 + 260 * lattice_noise(shape_.seed * 8 + stream_diploe, p, 4);
  hu = mix(hu, mix(1350, diploe, spongy), inside(outside_bone));

  // Air: sinuses in a shell of bone, ethmoid and mastoid cells.
  if (f[air] < 2.5F && outside_bone > -4) {
    hu = mix(hu, 500, inside(f[air] - 1.3F));
    const bool ethmoid = q.x() < 15 && p.z() > -46 && p.y() < -38;
    const float cell =
        ethmoid || p.z() < -46 ? std::abs(lattice_noise(shape_.seed * 8 + stream_cells, p, 6)) * 6 - 0.6F : 9;
    hu = mix(hu, ethmoid ? 60 : -1000, inside(f[air]));
    if (ethmoid || p.z() < -46)
      hu = mix(hu, ethmoid ? -1000.0F : (q.x() < 14 && p.z() < -46 ? 45.0F : hu),
               ethmoid ? inside(f[air]) * inside(-cell) : inside(f[air]) * inside(cell));
  }
  if (f[petrous] < -1.8F && q.x() > 40) {
    const float cell = std::abs(lattice_noise(shape_.seed * 8 + stream_cells, p, 5));
    hu = mix(hu, -850, ramp(q.x(), 42, 50) * ramp(cell, 0.06F, 0.2F) * inside(f[petrous] + 2.2F));
  }
  if (const float canal = tube(q, {56, 2, -42}, 3.2F, {84, 6, -42}, 4.0F); canal < 1)
    hu = mix(hu, -1000, inside(canal));

  hu = mix(hu, 45, inside(below_skin - 2, 0.8F) * (hu < 60 ? 1.0F : 0.0F));
  return mix(hu, -1000, inside(below_skin, 0.8F));
}

/// The cranial cavity.
ICHDET_INLINE float HeadModel::brain_hu(const Eigen::Vector3f& p, const Fields& f, HeadSample& sample) const {
  using namespace phantom_detail;
  constexpr float csf_hu = 6, grey_hu = 38.5F, white_hu = 30, dura_hu = 62, venous_hu = 55;
  const Vector3f q = mirrored(p);
  const float depth = -f[cavity];
  const float atrophy = shape_.atrophy;
  const float across = std::abs(f[sheet]);
  const float over_tent = p.z() - float(tentorium_height_mm(f[sheet], p.y()));
  const bool behind = p.y() > 4 - 0.25F * (p.z() + 20);
  const bool cerebellar = behind && over_tent < 0;

  // How far into brain from the nearest CSF of the surface: outer gap, sulci, the fissure between the hemispheres.
  const float gap = 0.7F + 1.3F * atrophy + 0.9F * ramp(-p.y(), 20, 70) * ramp(p.z(), -5, 40) * atrophy;
  float to_csf = depth - gap;
  if (cerebellar) {
    const float groove = 0.55F + 0.35F * atrophy - 0.045F * depth;
    to_csf = std::min(to_csf, std::max(std::abs(f[folia]) - groove, groove > 0 ? -1.0F : 3.0F));
    to_csf = std::min(to_csf, stem_distance(p) > 0 && p.z() < -20 ? depth - 1.6F : 99.0F);
  } else {
    const float reach = 19 + 12 * f[slow] + 3 * atrophy;
    const float groove = (0.6F + 1.0F * atrophy + 1.1F * f[slow]) * (1 - depth / reach);
    // Below the bottom of a sulcus the distance grows with the depth.
    const float below = std::max(depth - reach, 0.0F);
    to_csf = std::min(to_csf, std::hypot(std::max(std::abs(f[sulcus]) - std::max(groove, 0.0F), 0.0F), below) -
                                  (groove > 0 && std::abs(f[sulcus]) < groove ? groove - std::abs(f[sulcus]) : 0.0F));
    const float callosum = ellipsoid(p, {0, 2, 4}, {40, 43, 23});
    const float fissure =
        std::max(across - 0.35F - 0.8F * atrophy - 2.0F * f[slow] - 0.5F * ramp(-p.y(), 20, 60), -callosum);
    if (p.z() > -14) to_csf = std::min(to_csf, fissure);
    if (behind) to_csf = std::min(to_csf, over_tent - 0.9F);
  }
  to_csf = std::min(to_csf, f[cisterns]);

  const float ribbon = cerebellar ? 2.2F : 3.0F + 0.8F * f[slow];
  // White matter is darkest deep in the middle of each hemisphere.
  const float white = cerebellar ? 34.5F : white_hu - 2.0F * atrophy * ramp(to_csf, 8, 20);
  float hu = mix(cerebellar ? 38.0F : grey_hu, white, ramp(to_csf, ribbon - 2.2F, ribbon + (cerebellar ? 2.0F : 3.8F)));
  if (!cerebellar) hu = mix(hu, 37, inside(f[nuclei], 3.0F));
  const float stem = stem_distance(p);
  if (p.z() < 2) hu = mix(hu, 32, inside(stem, 2.0F));
  hu += 0.8F * f[slow];

  const float fluid = inside(to_csf, 0.7F) * (1 - inside(stem, 0.7F) * (p.z() < -2 ? 1.0F : 0.0F));
  hu = mix(hu, csf_hu, fluid);
  const float ventricle = inside(f[ventricles], 0.8F);
  hu = mix(hu, csf_hu, ventricle);
  sample.ventricle = ventricle;
  sample.csf = std::max(fluid - ventricle, 0.0F);

  // Dura: falx, tentorium; the venous sinuses at their edges; calcifications.
  const float falx_edge = ellipsoid(p, {0, 10, 2}, {60, 58, 33});
  const float falx = std::max({across - 0.6F, -falx_edge, p.y() < 0 ? -12 - p.z() : -over_tent});
  float dura = falx;
  if (behind && depth < 40) dura = std::min(dura, std::max(std::abs(over_tent) - 0.5F, depth - 34));
  const float dural = inside(dura);
  hu = mix(hu, dura_hu, dural);
  float sinus = std::max(across * 1.2F - 4.5F + 0.8F * depth, depth - 6);  // superior sagittal
  if (p.z() < 0 && p.y() < 40) sinus = 9;
  if (behind) sinus = std::min(sinus, std::max(std::hypot(depth - 2, over_tent * 0.8F) - 3, 18 - p.y()));  // transverse
  sinus = std::min(sinus, tube(p, {0, 34, 2}, 1.6F, {0, 76, -24}, 2.2F));                                  // straight
  const float venous = inside(sinus, 1.0F);
  hu = mix(hu, venous_hu, venous);
  const float vessels =
      std::min({tube(q, {0, 3, -27}, 1.7F, {0, 0, -44}, 1.7F), tube(q, {10, -16, -22}, 1.7F, {14, -20, -18}, 1.6F),
                tube(q, {14, -20, -18}, 1.4F, {34, -24, -14}, 1.1F)});
  hu = mix(hu, 45, inside(vessels));
  sample.csf *= (1 - dural) * (1 - venous);

  float lime = ellipsoid(p, {0.8F, 21.5F, 1}, {2.6F, 2.2F, 2.4F});  // pineal
  const float specks = lattice_noise(shape_.seed * 8 + stream_cells, p, 3);
  const float plexus = ellipsoid(q, {22.5F, 35, 12}, {2.6F, 4.2F, 3.6F});
  lime = std::min(lime, plexus + 1.6F * (0.3F - specks));
  hu = mix(hu, 46, inside(plexus, 1.0F));
  hu = mix(hu, 190 + 90 * specks, inside(lime, 1.4F));
  if (counter_uniform(shape_.seed, stream_shape, 40) > 0.5) {
    const float flake = std::max(ellipsoid(p, {0, -62, 34}, {8, 6, 9}), across - 0.8F);
    hu = mix(hu, 260, inside(flake + 2 * specks));
  }
  sample.ventricle *= 1 - inside(plexus);
  return hu;
}

namespace phantom_detail {

/// From where a point is to where its tissue was before the blood pushed it.
ICHDET_INLINE Vector3f undo_push(const Vector3f& p, float depth, const Displacement& push) {
  const Vector3f away = p - push.centre;
  if (push.type == HemorrhageType::intraparenchymal) {
    // A ball of blood moves tissue outwards so that each shell keeps its volume; none moves at the bone.
    const float r3 = std::max(std::pow(away.norm(), 3.0F), 1.0F);
    const float held = std::cbrt(std::max(1 - 0.75F * push.volume_mm3 / (3.14159265F * r3), 0.0F));
    return away * ((held - 1) * ramp(depth, 0, 14));
  }
  float thickness = 0;
  if (push.type == HemorrhageType::subdural) {
    thickness = 1.5F + push.volume_mm3 / 11000 - subdural_thinning_mm(p, push.centre);
  } else if (push.type == HemorrhageType::epidural) {
    const float reach = std::cbrt(push.volume_mm3 / 0.84F);
    const float along2 = std::max(away.squaredNorm() - depth * depth, 0.0F);
    thickness = 0.42F * std::sqrt(std::max(reach * reach - along2, 0.0F));
  }
  if (thickness <= 0 || p.x() * push.centre.x() < 0) return Vector3f::Zero();
  const Vector3f outwards = p.cwiseQuotient(Vector3f(67 * 67, 83 * 83, 74 * 74)).normalized();
  return outwards * (thickness * std::exp(-std::max(depth - thickness, 0.0F) / 28));
}

}  // namespace phantom_detail

ICHDET_INLINE HeadSample HeadModel::at(const Eigen::Vector3f& point_mm, const std::vector<Displacement>& pushed) const {
  using namespace phantom_detail;
  HeadSample sample;
  const Vector3f& p = point_mm;
  if ((p - origin_).minCoeff() < 0 ||
      (p - origin_ - table_step_mm * Vector3f(float(size_[0] - 1), float(size_[1] - 1), float(size_[2] - 1)))
              .maxCoeff() > 0) {
    return sample;
  }
  Fields f = interpolate(p);
  sample.depth_mm = -f[cavity];
  if (f[skin] > 1) return sample;
  const float in_cavity = inside(f[cavity]);
  sample.hu = in_cavity < 1 ? outside_hu(p, f) : 0;
  if (in_cavity == 0) return sample;
  Vector3f rest = p;
  for (const auto& push : pushed) {
    rest += undo_push(rest, -f[cavity], push);
  }
  if (rest != p) {
    const float depth = f[cavity];
    f = interpolate(rest);
    f[cavity] = depth;
  }
  sample.hu = mix(sample.hu, brain_hu(rest, f, sample), in_cavity);
  sample.ventricle *= in_cavity;
  sample.csf *= in_cavity;
  return sample;
}

}  // namespace ichdet
