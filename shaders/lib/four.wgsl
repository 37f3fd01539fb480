// Numbers by fours, where there are so many: a quarter of the loads and stores.

alias Element = vec4<f32>;
