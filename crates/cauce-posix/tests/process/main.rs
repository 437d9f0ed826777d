//! A process from outside: its calls over connections that never leave their stack.

mod calls;
mod ends;
mod epoll;
mod privileges;
mod signals;
mod world;
