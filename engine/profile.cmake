# The release is laid out by what a load has shown of the code: which branches are taken, which calls are worth inlining,
# what lies together. engine/profile.txz has that, one file of GCC's for each of our sources, written by `make profile`
# (tests/bench/profile). It is committed, so everybody's build is the same and none has to run a load first.
#
# A function that has changed since is compiled as if there were no profile, and so is one that the load did not run;
# counts that no longer fit together are put right, not complained of (-fprofile-correction).

set(PERILUNE_PROFILE "use" CACHE STRING "The profile of a load: use it, write one as the program runs, or none")
set_property(CACHE PERILUNE_PROFILE PROPERTY STRINGS use write none)

set(profile_folder ${CMAKE_BINARY_DIR}/profile)
# Files are named by the object's path below the folder of the build.
set(profile_names -fprofile-prefix-path=${CMAKE_BINARY_DIR})

if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "GNU" OR NOT CMAKE_CXX_COMPILER_VERSION MATCHES "^12\\.")
  message(STATUS "No profile: it is GCC 12's, and this is ${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION}")
elseif(PERILUNE_PROFILE STREQUAL "write")
  add_compile_options(-fprofile-generate=${profile_folder} ${profile_names} -fprofile-update=atomic)
  add_link_options(-fprofile-generate=${profile_folder})
elseif(PERILUNE_PROFILE STREQUAL "use")
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS engine/profile.txz)
  file(SHA256 ${CMAKE_SOURCE_DIR}/engine/profile.txz profile_hash)
  string(SUBSTRING ${profile_hash} 0 12 profile_hash)
  if(NOT EXISTS ${profile_folder}/${profile_hash})
    file(REMOVE_RECURSE ${profile_folder})
    file(ARCHIVE_EXTRACT INPUT ${CMAKE_SOURCE_DIR}/engine/profile.txz DESTINATION ${profile_folder}/${profile_hash})
  endif()
  # By its name another profile is another command, so that all is compiled again.
  add_compile_options(-fprofile-use=${profile_folder}/${profile_hash} ${profile_names} -fprofile-partial-training
                      -fprofile-correction -Wno-missing-profile -Wno-coverage-mismatch)
  # With what is inlined now GCC 12 thinks that Boost.JSON and std::string write where they do not.
  add_link_options(-Wno-stringop-overflow)
endif()
