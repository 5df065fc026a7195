//! All tests of the library, in one binary: linking burn, wgpu and egui once is what the time goes into.

mod suite;
