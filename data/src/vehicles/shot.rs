//! One shot: the vehicle's pose before the camera, the crop around it, and the light on what the rays meet.

use ndarray::Array3;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::raycast::vec3::{Basis, Ray, Vec3, vec3};

use super::body::Body;
use super::coat::Finish;
use super::identity::Identity;
use super::place::{Place, Spectrum};

/// A camera aimed at a vehicle.
#[derive(Clone, Debug)]
pub struct Shot {
    /// Where the camera is and which way it looks.
    from: Vec3,
    axes: Basis,
    /// The part of the view that is kept: left, bottom, right, top as tangents.
    window: [f32; 4],
    /// Towards the sun or the street lamp.
    sun: Vec3,
    /// Brightness in both spectra.
    gain: [f32; 2],
    /// A post before the lens: its left and right edge as shares of the picture's width.
    post: Option<[f32; 2]>,
}

/// The wider sides of a crop are cut or filled so that the ratio of width to height stays in this range; what is left
/// is stretched to 2 : 1, as public sets are.
const RATIOS: [f32; 2] = [1.5, 2.6];

/// Share of the shots with a post before the vehicle.
const POSTS: f64 = 0.15;

impl Shot {
    /// Aims, with the accidents of this shot.
    pub fn aim(place: &Place, body: &Body, rng: &mut ChaCha8Rng) -> Self {
        let mut vary = |value: f32, by: f32| value + rng.random_range(-by..by);
        let (azimuth, pitch) = (vary(place.azimuth, 0.14), vary(place.pitch, 0.03));
        let distance = vary(1.0, 0.1) * place.distance;
        let towards = |azimuth: f32, height: f32| {
            vec3(azimuth.cos() * height.cos(), height.sin(), azimuth.sin() * height.cos())
        };
        let from = towards(azimuth, pitch) * distance + vec3(0.0, 0.5 * body.form.height(), 0.0);
        let axes = Basis::look((-azimuth.cos()).atan2(-azimuth.sin()), pitch);
        let window = crop(outline(body, from, &axes), rng);
        let post = rng.random_bool(POSTS).then(|| {
            let left = rng.random_range(0.1..0.85);
            [left, left + rng.random_range(0.02..0.06)]
        });
        Self {
            from,
            axes,
            window,
            sun: towards(azimuth + place.sun[0], place.sun[1]),
            gain: [(); 2].map(|()| rng.random_range(0.9..1.1)),
            post,
        }
    }

    /// The ray through a point of the picture; both coordinates in [0, 1], right and down.
    fn ray(&self, [x, y]: [f32; 2]) -> Ray {
        let [left, bottom, right, top] = self.window;
        let along = vec3(left + x * (right - left), top + y * (bottom - top), 1.0);
        Ray { from: self.from, along: self.axes.outward(along) }
    }

    /// Light that reaches the lens in both spectra: RGB `[3, H, W]` and NIR `[1, H, W]`. A pixel is the mean of two
    /// rays on a diagonal; the diagonals of neighbours cross.
    pub fn expose(&self, identity: &Identity, place: &Place, height: usize) -> [Array3<f32>; 2] {
        let (width, scale) = (2 * height, 1.0 / height as f32);
        let mut pictures = [3, 1].map(|channels| Array3::zeros((channels, height, width)));
        for (row, column) in (0..height).flat_map(|row| (0..width).map(move |column| (row, column))) {
            let lean = if (row + column) % 2 == 0 { 0.25 } else { -0.25 };
            let [first, second] = [-1.0, 1.0].map(|side| {
                let x = (column as f32 + 0.5 + side * 0.25) * scale / 2.0;
                let y = (row as f32 + 0.5 + side * lean) * scale;
                self.light(identity, place, [x, y])
            });
            for (number, picture) in pictures.iter_mut().enumerate() {
                let mean = first[number].mix(second[number], 0.5).array();
                (0..picture.dim().0).for_each(|channel| picture[[channel, row, column]] = mean[channel]);
            }
        }
        pictures
    }

    /// Share of a coarse grid of rays that meet the vehicle.
    #[cfg(test)]
    pub fn coverage(&self, body: &Body) -> f32 {
        let grid =
            (0..24).flat_map(|y| (0..48).map(move |x| [(x as f32 + 0.5) / 48.0, (y as f32 + 0.5) / 24.0]));
        grid.filter(|&at| body.hit(&self.ray(at)).is_some()).count() as f32 / (24 * 48) as f32
    }

    /// RGB and NIR light from a point of the picture.
    fn light(&self, identity: &Identity, place: &Place, at: [f32; 2]) -> [Vec3; 2] {
        let ray = self.ray(at);
        let view = ray.along.unit();
        let lit = |number: usize, albedo: Vec3, normal: Vec3, open: [f32; 2], gloss: f32| {
            let spectrum = &place.spectra[number];
            let lamp = if spectrum.on_camera { -view } else { self.sun };
            shade(spectrum, lamp, albedo, normal, view, open, gloss) * self.gain[number]
        };
        if self.post.is_some_and(|[left, right]| (left..right).contains(&at[0])) {
            let normal = -view;
            return [0, 1].map(|number| lit(number, Vec3::splat(0.25), normal, [1.0; 2], 0.0));
        }
        let body = &identity.body;
        if let Some(touch) = body.hit(&ray) {
            let point = ray.at(touch.t);
            let finish = body.finish(&touch, point);
            let spot = body.spot(&touch, point, finish);
            // The road takes half of the sky away from what is near it.
            let open = [1.0, (0.55 + 0.5 * point.y).min(1.0)];
            return [0, 1].map(|number| {
                lit(number, identity.coats[number].colour(finish, spot), touch.normal, open, gloss(finish))
            });
        }
        let (point, normal, colours) = place.behind(&ray);
        let Some(normal) = normal else { return colours };
        let open = if normal.y > 0.5 { self.openness(body, point) } else { [1.0; 2] };
        [0, 1].map(|number| {
            // A lamp on the camera lights all that the camera sees.
            let direct = if place.spectra[number].on_camera { 1.0 } else { open[0] };
            lit(number, colours[number], normal, [direct, open[1]], 0.0)
        })
    }

    /// How much of the sun and of the sky the vehicle leaves to a point of the road.
    fn openness(&self, body: &Body, point: Vec3) -> [f32; 2] {
        let [length, width] = body.form.half;
        let beside = (point.x.abs() - length).max(point.z.abs() - width);
        let sky = (0.5 + 0.6 * beside).clamp(0.15, 1.0);
        let shaded = body.hit(&Ray { from: point, along: self.sun }).is_some();
        [if shaded { 0.15 } else { 1.0 }, sky]
    }
}

/// Share of mirrored light.
fn gloss(finish: Finish) -> f32 {
    match finish {
        Finish::Paint | Finish::Second | Finish::HeadLamp | Finish::Rim => 0.18,
        Finish::Glass => 0.5,
        Finish::TailLamp | Finish::Plate | Finish::Trim | Finish::Tyre => 0.03,
    }
}

/// Lambert's cosine for the lamp, more sky on what faces up, and a glossy coat that mirrors the sky and the lamp.
fn shade(
    spectrum: &Spectrum,
    lamp: Vec3,
    albedo: Vec3,
    normal: Vec3,
    view: Vec3,
    open: [f32; 2],
    gloss: f32,
) -> Vec3 {
    let direct = spectrum.direct * (normal.dot(lamp).max(0.0) * open[0]);
    let ambient = spectrum.ambient * ((0.75 + 0.25 * normal.y) * open[1]);
    let diffuse = albedo.times(direct + ambient);
    if gloss == 0.0 {
        return diffuse;
    }
    let mirrored = view - normal * (2.0 * normal.dot(view));
    // Schlick's approximation: more is mirrored at grazing angles.
    let share = gloss * (0.25 + 0.75 * (1.0 + normal.dot(view)).clamp(0.0, 1.0).powi(3));
    let sky = spectrum.ambient * mirrored.y.clamp(0.0, 1.0);
    let glint = spectrum.direct * (gloss * mirrored.dot(lamp).max(0.0).powi(32) * open[0]);
    diffuse + sky * share + glint
}

/// The vehicle's box as the camera sees it: left, bottom, right, top as tangents.
fn outline(body: &Body, from: Vec3, axes: &Basis) -> [f32; 4] {
    let form = &body.form;
    let mut bounds = [f32::INFINITY, f32::INFINITY, f32::NEG_INFINITY, f32::NEG_INFINITY];
    for corner in 0..8 {
        let sign = |bit: u32| if corner >> bit & 1 == 1 { 1.0 } else { -1.0 };
        let height = if corner & 4 == 4 { form.height() } else { 0.0 };
        let local = axes.inward(vec3(sign(0) * form.half[0], height, sign(1) * form.half[1]) - from);
        let [x, y] = [local.x / local.z, local.y / local.z];
        bounds = [bounds[0].min(x), bounds[1].min(y), bounds[2].max(x), bounds[3].max(y)];
    }
    bounds
}

/// A detector's box around an outline: loose by a different margin on every side.
fn crop([left, bottom, right, top]: [f32; 4], rng: &mut ChaCha8Rng) -> [f32; 4] {
    let (width, height) = (right - left, top - bottom);
    let wider = (RATIOS[0] * height - width).max(0.0) / 2.0;
    let higher = (width / RATIOS[1] - height).max(0.0) / 2.0;
    let mut margin = |side: f32| side * rng.random_range(-0.02..0.07);
    [
        left - wider - margin(width),
        bottom - higher - margin(height),
        right + wider + margin(width),
        top + higher + margin(height),
    ]
}
