// Numbers one by one.

alias Element = f32;
