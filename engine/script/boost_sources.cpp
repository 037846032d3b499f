// The one place where the bodies of these header-only libraries are compiled.
#include <boost/json/src.hpp>
#include <boost/url/src.hpp>
