#pragma once

/// With ICHDET_HEADER_ONLY each `x.hpp` pulls in `impl/.../x_inl.hpp` and every definition is inline;
/// without it, one object file per `_inl.hpp` is compiled into the component's library.
#ifdef ICHDET_HEADER_ONLY
#define ICHDET_INLINE inline
#else
#define ICHDET_INLINE
#endif
