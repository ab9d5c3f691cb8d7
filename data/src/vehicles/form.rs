//! The dimensions of a vehicle: what kind it is and how this one differs from others of its kind.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// Kinds of vehicles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Three boxes: bonnet, cabin, boot.
    Sedan,
    /// Two boxes, short.
    Hatchback,
    /// Two boxes, tall.
    Offroader,
    /// A tall body with a short bonnet.
    Van,
    /// A cabin before an open bed.
    Pickup,
    /// One long box with windows all around.
    Bus,
    /// A cab before a tall box.
    Truck,
}

impl Kind {
    /// What drives by: cars are listed more often because there are more of them.
    const STREET: [Self; 10] = [
        Self::Sedan,
        Self::Sedan,
        Self::Hatchback,
        Self::Hatchback,
        Self::Offroader,
        Self::Offroader,
        Self::Van,
        Self::Pickup,
        Self::Bus,
        Self::Truck,
    ];
}

/// Dimensions in metres; x points forward from the middle, y up from the road, z to the right.
#[derive(Clone, Debug)]
pub struct Form {
    /// What it is.
    pub kind: Kind,
    /// Half the length and half the width.
    pub half: [f32; 2],
    /// Height of the floor, the bonnet's tip, the lower edge of the windows and the roof.
    pub floor: f32,
    pub nose: f32,
    pub belt: f32,
    pub roof: f32,
    /// Rear and front end of the cabin at the windows' lower edge.
    pub cabin: [f32; 2],
    /// Rear and front end of the roof.
    pub top: [f32; 2],
    /// How far the cabin's sides lean inwards, as a tangent.
    pub lean: f32,
    /// A box behind the cabin: its rear and front end, its bottom and top.
    pub cargo: Option<[f32; 4]>,
    /// Wheels: radius, and where the axles are.
    pub wheel: f32,
    pub axles: [f32; 2],
    /// Spokes of a rim, and the rim's share of the wheel's radius.
    pub spokes: f32,
    pub rim: f32,
    /// Bars between side windows, and where the windows end to the rear.
    pub pillars: Vec<f32>,
    pub glazed_from: f32,
    /// Height up to which the second colour goes; the floor's for none.
    pub tone: f32,
    /// Whether the roof wears the second colour.
    pub two_tone_roof: bool,
}

impl Form {
    /// A random vehicle.
    pub fn draw(rng: &mut ChaCha8Rng) -> Self {
        let kind = Kind::STREET[rng.random_range(0..Kind::STREET.len())];
        // Length, width, belt, roof; cabin and roof ends as shares of the length; a bonnet's tip as share of belt.
        let (size, cabin, top, nose) = match kind {
            Kind::Sedan => ([4.65, 1.8, 0.93, 1.43], [-0.40, 0.20], [-0.25, 0.02], 0.75),
            Kind::Hatchback => ([3.95, 1.72, 0.93, 1.48], [-0.48, 0.23], [-0.39, 0.06], 0.78),
            Kind::Offroader => ([4.6, 1.9, 1.12, 1.76], [-0.48, 0.20], [-0.43, 0.07], 0.85),
            Kind::Van => ([5.2, 1.95, 1.25, 2.3], [-0.49, 0.36], [-0.485, 0.20], 0.78),
            Kind::Pickup => ([5.25, 1.88, 1.1, 1.78], [-0.13, 0.21], [-0.10, 0.08], 0.88),
            Kind::Bus => ([8.5, 2.45, 1.35, 2.95], [-0.495, 0.495], [-0.49, 0.475], 0.99),
            Kind::Truck => ([6.2, 2.15, 1.35, 2.35], [0.19, 0.47], [0.20, 0.38], 0.92),
        };
        let mut vary = |value: f32, share: f32| value * rng.random_range(1.0 - share..1.0 + share);
        let [length, width, belt, roof] = [vary(size[0], 0.07), vary(size[1], 0.03), size[2], size[3]];
        let belt = vary(belt, 0.05);
        let roof = belt + vary(roof - size[2], 0.15);
        let at = |share: f32| share * length;
        let top = [at(vary(top[0], 0.04)), at(top[1]) + length * vary(0.02, 0.9) - 0.02 * length];
        let wheel = vary(0.33 * (belt / 0.95).powf(0.7), 0.07);
        let axle = vary(0.30, 0.05);
        let cabin = cabin.map(at);
        let cargo = (kind == Kind::Truck)
            .then(|| [-0.5 * length, 0.165 * length, vary(0.85, 0.1), roof + vary(0.45, 0.9)]);
        Self {
            kind,
            half: [length / 2.0, width / 2.0],
            floor: vary(0.24, 0.2) * (belt / 0.95),
            nose: belt * vary(nose, 0.04),
            belt,
            roof,
            cabin,
            top,
            lean: if roof - belt > 0.8 { 0.04 } else { vary(0.24, 0.3) },
            cargo,
            wheel,
            axles: [-at(axle), at(axle)],
            spokes: rng.random_range(4..9) as f32,
            rim: rng.random_range(0.55..0.78),
            pillars: pillars(kind, cabin, length, rng),
            glazed_from: if kind == Kind::Van && rng.random_bool(0.6) { at(0.08) } else { -length },
            tone: if rng.random_bool(0.25) { belt * rng.random_range(0.45..0.7) } else { 0.0 },
            two_tone_roof: rng.random_bool(0.2),
        }
    }

    /// Height of the highest part.
    pub fn height(&self) -> f32 {
        self.cargo.map_or(self.roof, |[.., top]| self.roof.max(top))
    }

    /// Whether the rear wall of the cabin has a window.
    pub fn has_rear_window(&self) -> bool {
        self.kind != Kind::Truck && self.glazed_from < -self.half[0]
    }
}

/// Where the bars between the side windows stand.
fn pillars(kind: Kind, [rear, front]: [f32; 2], length: f32, rng: &mut ChaCha8Rng) -> Vec<f32> {
    let windows = match kind {
        Kind::Bus => rng.random_range(5..8),
        Kind::Van => 3,
        Kind::Pickup | Kind::Truck => rng.random_range(1..3),
        Kind::Sedan | Kind::Hatchback | Kind::Offroader => rng.random_range(2..4),
    };
    let shift = length * rng.random_range(-0.02..0.02);
    let share = |number: usize| number as f32 / windows as f32;
    (1..windows).map(|number| rear + (front - rear) * share(number) + shift).collect()
}
