//! Draws a scene at random and keeps drawing until the picture is balanced.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use std::f32::consts::TAU;
use std::sync::Arc;

use super::SceneKind;
use super::album::Album;
use super::catalogue;
use super::figure::Figure;
use super::room::{Face, Poster, Room};
use super::sensor::Sensor;
use super::solid::{Role, Solid};
use super::texture::{Fabric, Texture};
use super::wardrobe::{Wardrobe, paint};
use super::world::{Camera, Light, World};
use crate::raycast::noise::Noise;
use crate::raycast::vec3::{Basis, Vec3, vec3};

/// A scene ready to be photographed.
#[derive(Clone, Debug)]
pub struct Stage {
    /// Where the picture is taken from.
    pub camera: Camera,
    /// What there is.
    pub world: World,
    /// What measures the depth.
    pub sensor: Sensor,
}

/// A balanced scene: the salient objects cover a fair share of the picture around its middle. Judged on a coarse
/// grid of rays, so the same scene is chosen whatever size the picture will have.
pub fn compose(kind: SceneKind, album: &Arc<Album>, rng: &mut ChaCha8Rng) -> Stage {
    loop {
        let stage = draw(kind, album, rng);
        if stage.is_balanced(kind) {
            return stage;
        }
    }
}

/// The camera's view of the first salient object, from which the rest of the scene follows.
struct Focus {
    /// Distance along the floor, metres.
    distance: f32,
    /// Horizontal picture coordinate in [-1, 1].
    u: f32,
    figure: Figure,
    camera: Camera,
}

impl Focus {
    /// A figure as large as its chosen share of the picture demands, and a camera aimed near it.
    fn draw(rng: &mut ChaCha8Rng) -> Self {
        let lens: f32 = rng.random_range(0.45..0.65);
        let distance = rng.random_range(1.8..3.0);
        let (u, v) = (rng.random_range(-0.45f32..0.45), rng.random_range(-0.25f32..0.25));
        let share: f32 = rng.random_range(0.06..0.3);

        let figure = catalogue::any(rng);
        // A figure fills about 0.6 of the rectangle around it.
        let shrunk = (share / 0.6 / (figure.width * figure.height)).sqrt();
        let figure = figure.scaled(shrunk * 2.0 * distance * lens);

        let height: f32 = rng.random_range(0.8..1.8);
        let below = (height - figure.height / 2.0) / distance;
        let pitch = below.atan() + (v * lens).atan();
        let yaw = rng.random_range(-0.35..0.35);
        let camera = Camera { place: vec3(0.0, height, 0.0), axes: Basis::look(yaw, pitch), lens };
        Self { distance, u, figure, camera }
    }

    /// The point of the floor at a distance, under a horizontal picture coordinate.
    fn floor(&self, distance: f32, u: f32) -> Vec3 {
        let right = self.camera.axes.x;
        let ahead = vec3(-right.z, 0.0, right.x);
        ahead * distance + right * (u * self.camera.lens * distance)
    }

    /// The side of the picture with more room beside the salient object: -1 left, 1 right.
    fn free_side(&self) -> f32 {
        if self.u > 0.0 { -1.0 } else { 1.0 }
    }
}

fn draw(kind: SceneKind, album: &Arc<Album>, rng: &mut ChaCha8Rng) -> Stage {
    let focus = Focus::draw(rng);
    let wardrobe = Wardrobe::new(kind, album, rng);
    let place = focus.floor(focus.distance, focus.u);
    let mut solids = vec![stand(focus.figure.clone(), place, wardrobe.salient(rng), Role::Salient, rng)];

    let mut room = build_room(&wardrobe, place, focus.figure.width, rng);
    if rng.random_bool(0.25) {
        solids.extend(partner(&focus, &room, &wardrobe, rng));
    }
    furnish(&mut solids, &focus, &room, &wardrobe, rng);
    if kind == SceneKind::Flat {
        solids.push(phantom(&focus, &wardrobe, rng));
    }
    if kind == SceneKind::Flat || rng.random_bool(0.5) {
        room.posters.extend((0..POSTER_TRIES).find_map(|_| hang_poster(&focus, &room, &wardrobe, rng)));
    }

    let light = light(kind, &room, rng);
    let sensor = if kind == SceneKind::Flat { Sensor::broken(rng) } else { Sensor::good(rng) };
    let fabric = Fabric { noise: Noise::new(rng), album: album.clone() };
    Stage { camera: focus.camera, world: World { room, solids, light, fabric }, sensor }
}

/// Puts a figure on the floor, facing anywhere.
fn stand(figure: Figure, place: Vec3, skins: [Texture; 2], role: Role, rng: &mut ChaCha8Rng) -> Solid {
    Solid { figure, skins, place, axes: Basis::look(rng.random_range(0.0..TAU), 0.0), role }
}

/// A second salient object of similar size on the free side, if it fits into the picture and the room there.
fn partner(focus: &Focus, room: &Room, wardrobe: &Wardrobe, rng: &mut ChaCha8Rng) -> Option<Solid> {
    let figure = catalogue::any(rng).scaled(focus.figure.height * rng.random_range(0.75..1.0));
    let in_picture = |length: f32| length / (focus.camera.lens * focus.distance);
    let apart = in_picture((focus.figure.width + figure.width) / 2.0) + rng.random_range(0.0..0.2);
    let u = focus.u + focus.free_side() * apart;
    let fits = u.abs() + in_picture(figure.width / 2.0) < 1.0;
    let place = focus.floor(focus.distance * rng.random_range(0.95..1.15), u);
    let solid = stand(figure, place, wardrobe.salient(rng), Role::Salient, rng);
    (fits && is_inside(room, &solid)).then_some(solid)
}

/// Walls around the camera (at the origin) and an object of some width.
fn build_room(wardrobe: &Wardrobe, object: Vec3, width: f32, rng: &mut ChaCha8Rng) -> Room {
    let mut wall = |needed: f32| rng.random_range(1.6f32..4.0).max(needed + width * 0.75);
    let (left, right) = (wall(-object.x), wall(object.x));
    let back = object.z + width / 2.0 + rng.random_range(0.8..3.0);
    Room {
        low: vec3(-left, 0.0, -2.0),
        high: vec3(right, rng.random_range(2.6..3.4), back),
        floor: wardrobe.floor,
        wall: wardrobe.wall,
        ceiling: paint(rng).mix(Vec3::splat(0.85), 0.85),
        posters: Vec::new(),
    }
}

/// Whether a solid keeps clear of the walls.
fn is_inside(room: &Room, solid: &Solid) -> bool {
    let (place, margin) = (solid.place, solid.footprint());
    place.x - margin > room.low.x && place.x + margin < room.high.x && place.z + margin < room.high.z
}

/// Places tried for furniture before a scene does with less.
const TRIES: usize = 16;

/// Up to four smaller objects, further away than the salient one and clear of everything else.
fn furnish(solids: &mut Vec<Solid>, focus: &Focus, room: &Room, wardrobe: &Wardrobe, rng: &mut ChaCha8Rng) {
    let far = (room.high.z - 0.3).max(focus.distance + 0.5);
    let wanted = solids.len() + rng.random_range(0..5);
    for _ in 0..TRIES {
        let figure = catalogue::any(rng).scaled(focus.figure.height * rng.random_range(0.3..0.55));
        let place = focus.floor(rng.random_range(focus.distance + 0.3..far), rng.random_range(-0.95..0.95));
        let solid = stand(figure, place, wardrobe.distractor(rng), Role::Distractor, rng);
        let clear = |other: &Solid| (other.place - place).length() > other.footprint() + solid.footprint();
        if solids.len() < wanted && is_inside(room, &solid) && solids.iter().all(clear) {
            solids.push(solid);
        }
    }
}

/// The object a broken sensor believes in: as near and almost as large as the salient one, on the other side.
fn phantom(focus: &Focus, wardrobe: &Wardrobe, rng: &mut ChaCha8Rng) -> Solid {
    let size = focus.figure.height.max(focus.figure.width * 0.6);
    let figure = catalogue::any(rng).scaled(size * rng.random_range(0.7..1.1));
    let distance = focus.distance * rng.random_range(0.8..1.1);
    let place = focus.floor(distance, focus.free_side() * rng.random_range(0.4..0.7));
    stand(figure, place, wardrobe.distractor(rng), Role::Phantom, rng)
}

/// Lines of sight tried before a scene does without a poster.
const POSTER_TRIES: usize = 8;

/// A picture of a figure where a random line of sight meets the back wall or the floor beside the salient object.
fn hang_poster(focus: &Focus, room: &Room, wardrobe: &Wardrobe, rng: &mut ChaCha8Rng) -> Option<Poster> {
    let ray = focus.camera.ray([focus.free_side() * rng.random_range(0.2..0.7), rng.random_range(-0.6..0.7)]);
    let (t, face, _) = room.exit(&ray);
    if !matches!(face, Face::BackWall | Face::Floor) {
        return None;
    }
    let figure =
        stand(catalogue::any(rng), vec3(0.0, 0.0, 0.0), wardrobe.distractor(rng), Role::Distractor, rng);
    // `t` is the distance: the poster's size is chosen as a share of the picture. On the floor it is seen at a
    // slant and must be longer to look as large.
    let half = t * focus.camera.lens * rng.random_range(0.22..0.42);
    let stretch = if face == Face::Floor { 1.8 } else { 1.0 };
    let paper = rng.random_bool(0.6).then(|| paint(rng));
    Some(Poster {
        face,
        centre: ray.at(t),
        half: [half * rng.random_range(0.75..1.1), half * stretch],
        paper,
        figure,
    })
}

/// A lamp under the ceiling. Camouflage needs dull light: shading and shadows would give the object away.
fn light(kind: SceneKind, room: &Room, rng: &mut ChaCha8Rng) -> Light {
    let lamp = vec3(rng.random_range(-1.4..1.4), room.high.y - 0.3, rng.random_range(-1.0..1.5));
    let warmth = rng.random_range(-0.06..0.06);
    let tint = vec3(1.0 + warmth, 1.0, 1.0 - warmth);
    if kind == SceneKind::Camouflaged {
        return Light { lamp, ambient: 0.88, direct: 0.12, shadow: 0.3, tint };
    }
    let ambient = rng.random_range(0.4..0.6);
    Light { lamp, ambient, direct: 1.15 - ambient, shadow: rng.random_range(0.6..1.0), tint }
}

impl Stage {
    /// Salient objects cover 5% to 35% around the middle, and a phantom is neither lost nor in the same place.
    fn is_balanced(&self, kind: SceneKind) -> bool {
        const GRID: usize = 32;
        let unit = |index: usize| (2 * index + 1) as f32 / GRID as f32 - 1.0;
        let cells = || (0..GRID * GRID).map(|cell| [unit(cell % GRID), unit(cell / GRID)]);
        let sees = |at: [f32; 2], role, invisible| {
            self.world.is(&self.world.trace(&self.camera.ray(at), invisible), role)
        };
        let share = |count: usize| count as f32 / (GRID * GRID) as f32;

        let salient: Vec<[f32; 2]> = cells().filter(|&at| sees(at, Role::Salient, Role::Phantom)).collect();
        let mean = |axis: usize| salient.iter().map(|at| at[axis]).sum::<f32>() / salient.len() as f32;
        if !(0.05..0.35).contains(&share(salient.len())) || mean(0).abs() > 0.5 || mean(1).abs() > 0.45 {
            return false;
        }
        let phantom = cells().filter(|&at| sees(at, Role::Phantom, Role::Salient)).count();
        let shared = salient.iter().filter(|&&at| sees(at, Role::Phantom, Role::Salient)).count();
        kind != SceneKind::Flat || (share(phantom) > 0.04 && shared * 5 < salient.len())
    }
}
