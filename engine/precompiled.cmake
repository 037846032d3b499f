# Half of what a compiler does here is to read headers of the standard library, of Boost and of GoogleTest. The builds for
# tests read them once, and compile eight files as one (CMAKE_UNITY_BUILD in CMakePresets.json), so that the names in a
# room's unnamed namespaces are one set. The release does neither: there a header that a file forgot to include is missed.

set(precompiled_headers
  <algorithm> <array> <atomic> <chrono> <cmath> <cstdint> <cstring> <functional> <map> <memory> <mutex> <optional> <ranges>
  <span> <string> <string_view> <thread> <unordered_map> <utility> <variant> <vector>
  <boost/container/small_vector.hpp> <boost/intrusive/list.hpp> <boost/system/result.hpp>
  <boost/unordered/unordered_flat_map.hpp>)

file(WRITE ${CMAKE_BINARY_DIR}/generated/precompiled.cpp "")

# All programs and libraries of C++ in a folder and below.
function(collect_targets folder result)
  get_property(targets DIRECTORY ${folder} PROPERTY BUILDSYSTEM_TARGETS)
  get_property(subfolders DIRECTORY ${folder} PROPERTY SUBDIRECTORIES)
  set(found "")
  foreach(target IN LISTS targets)
    get_target_property(kind ${target} TYPE)
    if(kind MATCHES "STATIC_LIBRARY|EXECUTABLE" AND NOT target STREQUAL "llhttp")
      list(APPEND found ${target})
    endif()
  endforeach()
  foreach(subfolder IN LISTS subfolders)
    collect_targets(${subfolder} deeper)
    list(APPEND found ${deeper})
  endforeach()
  set(${result} ${found} PARENT_SCOPE)
endfunction()

function(precompile name headers)
  add_library(${name} OBJECT ${CMAKE_BINARY_DIR}/generated/precompiled.cpp)
  target_link_libraries(${name} PRIVATE perilune_settings)
  target_precompile_headers(${name} PRIVATE ${headers})
  foreach(target IN LISTS ARGN)
    target_precompile_headers(${target} REUSE_FROM ${name})
  endforeach()
endfunction()

if(PERILUNE_TESTS)
  collect_targets(${CMAKE_SOURCE_DIR}/tests tests)
  set(with_gtest "")
  foreach(target IN LISTS tests)
    get_target_property(libraries ${target} LINK_LIBRARIES)
    if(libraries MATCHES "GTest::")
      list(APPEND with_gtest ${target})
    endif()
  endforeach()
  precompile(precompiled_for_tests "${precompiled_headers};<gtest/gtest.h>" ${with_gtest})
  find_package(GTest REQUIRED)
  target_link_libraries(precompiled_for_tests PRIVATE GTest::gtest)
  target_compile_options(precompiled_for_tests PRIVATE ${PERILUNE_TEST_OPTIONS})
endif()
get_property(folders DIRECTORY ${CMAKE_SOURCE_DIR} PROPERTY SUBDIRECTORIES)
collect_targets(${CMAKE_SOURCE_DIR} all)
list(REMOVE_ITEM all ${tests})
precompile(precompiled "${precompiled_headers}" ${all})
